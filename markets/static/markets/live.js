// Keeps a page current over one WebSocket: it is not one of the six connections that HTTP/1.1 leaves a browser.
// The server draws the page whole; a trade moves the numbers, and what else happens has its islands drawn anew.
// Without JavaScript a page is as old as its last load.

import {Chart} from "./chart.js";
import {credits, gain, micro, named, percent, points, worthOf} from "./format.js";
import {load, place} from "./islands.js";
import {clockTime, show} from "./times.js";

const PING_MS = 10_000, SILENCE_MS = 15_000, MOST_WAIT_MS = 30_000, ANNOUNCE_MS = 30_000, NEWS_MS = 60_000, HIDDEN_MS = 30_000, FLUSH_MS = 200, TAPE = 12;
const root = document.querySelector("[data-live]"), pulse = document.querySelector("[data-pulse]");
const one = root?.dataset.live === "market", islands = root?.dataset.islands?.split(" ");  // of a page whose rows come and go
let socket = null, heardAt = performance.timeOrigin, triedAt = 0, attempts = 0, timer = 0, chart = null, waiting = {}, flushedAt = 0, said = {}, latest = {}, saying = 0, spoken = {at: Date.now(), text: ""};

const shown = id => one ? (root.dataset.market === String(id) ? root : null) : document.querySelector(`[data-market="${id}"]`);

// --- the connection ---

function connect() {
  clearTimeout(timer);
  if (socket || document.hidden) return;
  const mine = socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/v1/stream`);
  triedAt = Date.now();
  mine.onopen = () => {
    follow();
    if ("me" in root.dataset) mine.send(JSON.stringify({id: 2, cmd: "subscribe", channel: "me"}));
  };
  mine.onmessage = ({data}) => {
    if (mine !== socket) return;
    heardAt = Date.now();
    hear(JSON.parse(data));
  };
  mine.onclose = () => { if (mine === socket) retry(); };
}

function follow() {  // once more is no mistake: what is followed already goes on
  const seqs = Object.fromEntries((one ? [root] : [...root.querySelectorAll("[data-market]")]).map(({dataset}) => [dataset.market, Number(dataset.seq)]));
  if (Object.keys(seqs).length) socket.send(JSON.stringify({id: 1, cmd: "subscribe", markets: Object.keys(seqs).map(Number), after_seq: seqs}));
}

function disconnect() {
  clearTimeout(timer);
  const mine = socket;
  socket = null;
  mine?.close();
}

function sleep() {  // what is shown from now on is not live until the page is looked at again
  disconnect();
  tell("away");
}

function retry(after) {
  disconnect();
  tell("away");
  const wait = Math.min(MOST_WAIT_MS, 500 * 2 ** attempts++) * (0.5 + Math.random());
  timer = setTimeout(connect, after ?? wait);
}

setInterval(() => {  // the watchdog: a silent network is not a live one
  if (!socket) return;
  if (Date.now() - Math.max(heardAt, triedAt) > SILENCE_MS) retry(0);
  else if (socket.readyState === WebSocket.OPEN) socket.send('{"cmd":"ping"}');
}, PING_MS);

function tell(state) {
  const asOf = `${pulse.dataset.asOf} ${clockTime(heardAt)}`;
  pulse.hidden = false;
  pulse.className = `pulse ${state}`;
  pulse.textContent = state === "live" ? pulse.dataset.now : Date.now() - heardAt > 2 * SILENCE_MS ? asOf : pulse.dataset.away;
}

// --- what is heard ---

function hear(message) {
  if (message.type === "subscribed" || message.type === "pong") {
    attempts = 0;
    tell("live");
  } else if (message.type === "goodbye") retry(message.reconnect_after_ms);
  else if (message.type === "error") { if (message.code !== "not_found") retry(); }
  else if (message.user_id || ["fill", "balance", "notification"].includes(message.type)) hearMine(message);
  else hearMarket(message);
}

function hearMarket(message) {
  const element = shown(message.market_id);
  if (!element || message.seq <= Number(element.dataset.seq)) return;
  element.dataset.seq = message.seq;
  if (message.type === "trade") {
    latest[message.market_id] = message;
    queue(message);
    if (one) queueTape(message);
  } else if (message.type.startsWith("comment.")) {
    if (one) redraw(root, ["comments"]);
  } else {
    said = {};
    redraw(element);
  }
}

function hearMine(message) {
  const mine = document.getElementById("balance"), moved = ![undefined, mine.dataset.exact].includes(message.balance);
  if (moved) {
    mine.dataset.exact = message.balance;
    for (const place of document.querySelectorAll("#balance, [data-balance]")) place.textContent = credits(micro(message.balance));
    for (const button of document.querySelectorAll("[data-max]")) button.dataset.max = message.balance;
    if (islands) redraw(root);
  }
  if (!one) return;
  if (message.type === "fill" && String(message.market_id) === root.dataset.market) {
    chart?.dot(message.trade.outcome_id, micro(message.trade.price_after));
    redraw(root, ["position"]);
  } else if (message.type === "snapshot" && moved) redraw(root, ["position"]);  // of what happened before one could listen
}

// The first trade is shown at once, those of the next moment together: more than five a second nobody reads.
function queue(trade) {
  waiting.timer ||= setTimeout(() => requestAnimationFrame(flush), Math.max(0, flushedAt + FLUSH_MS - Date.now()));
  (waiting.markets ||= {})[trade.market_id] = trade;
}

function queueTape(trade) {
  const before = said[trade.outcome_id] ?? root.querySelector(`[data-price="${trade.outcome_id}"]`)?.textContent ?? "";
  for (const [id, price] of Object.entries(trade.prices)) said[id] = percent(micro(price));
  waiting.tape = [...(waiting.tape ?? []), {...trade, before}].slice(-TAPE);
}

function flush() {
  const {markets = {}, tape = []} = waiting;
  waiting = {};
  flushedAt = Date.now();
  for (const trade of Object.values(markets)) {
    const prices = Object.fromEntries(Object.entries(trade.prices).map(([id, text]) => [id, micro(text)]));
    move(root, prices, trade.outcome_id);
    if (!one) continue;
    chart?.move(prices);
    write("[data-volume]", credits(micro(trade.volume)));
    if (root.querySelector("[data-traders]").textContent !== String(trade.trader_count)) redraw(root, ["head"]);  // "1 trader" becomes "2 traders"
    write("[data-traders]", trade.trader_count);
    announce();
    root.dispatchEvent(new CustomEvent("moved"));
  }
  if (tape.length) requestAnimationFrame(() => tape.forEach(record));  // a frame of their own: rows are what takes longest to lay out
}

function move(element, prices, traded) {
  for (const [id, price] of Object.entries(prices)) {
    for (const label of element.querySelectorAll(`[data-price="${id}"]`)) {
      if (label.textContent === percent(price)) continue;
      label.textContent = percent(price);
      if (Number(id) === traded) tint(label);
    }
    for (const bar of element.querySelectorAll(`[data-bar="${id}"]`)) bar.value = price;
    for (const change of element.querySelectorAll(`[data-change="${id}"]`)) {
      const since = price - Number(change.dataset.ago);
      change.textContent = points(since, pulse.dataset.points);
      change.className = `change ${since > 0 ? "up" : since < 0 ? "down" : "flat"}`;
    }
    for (const label of element.querySelectorAll(`[data-worth="${id}"]`)) {
      label.dataset.now = worth(label, price);
      label.textContent = credits(worth(label, price));
    }
    for (const label of element.querySelectorAll(`[data-gain="${id}"]`)) showGain(label, worth(label, price) - label.dataset.cost);
  }
  const rows = [...element.querySelectorAll("[data-worth]")].reduce((sum, {dataset}) => sum + Number(dataset.now), 0);
  for (const total of element.querySelectorAll("[data-total]")) total.textContent = credits(rows + Number(total.dataset.total));
  for (const total of element.querySelectorAll("[data-total-gain]")) showGain(total, rows + Number(total.dataset.totalGain));
}

const worth = ({dataset}, price) => worthOf(micro(dataset.shares), price);

function showGain(label, amount) {
  label.textContent = gain(amount);
  for (const [name, is] of [["up", amount > 0], ["down", amount < 0]]) label.classList.toggle(name, is);
}

function tint(label) {
  label.classList.add("moved");
  setTimeout(() => label.classList.remove("moved"), 1000);
}

function write(selector, text) {
  for (const element of root.querySelectorAll(selector)) element.textContent = text;
}

function record(trade) {
  const row = document.querySelector(`template[data-row="${trade.side}"]`)?.content.cloneNode(true);
  const label = document.querySelector(`#order input[value="${trade.outcome_id}"] ~ bdi`) || document.querySelector(`[data-choose="${trade.outcome_id}"] bdi`);
  if (!row) return;
  row.querySelector("[data-shares]").textContent = credits(micro(trade.shares));
  row.querySelector("[data-label]").textContent = named(label?.textContent ?? "");
  row.querySelector("[data-cost]").textContent = credits(micro(trade.cost));
  row.querySelector("[data-move]").textContent = `${trade.before} → ${percent(micro(trade.prices[trade.outcome_id]))}`;
  row.querySelector("time").dateTime = trade.at;
  show(row);
  const list = document.querySelector(".tape");
  list.querySelector("[data-none]")?.remove();
  list.prepend(row);
  while (list.children.length > TAPE) list.lastElementChild.remove();
}

const toSay = () => [...root.querySelectorAll(".number.large > :not(.side)")].map(part => part.textContent.trim()).join(" ");

function announce() {  // to who listens: politely, rarely, and only if the number has changed
  clearTimeout(saying);
  const wait = spoken.at + ANNOUNCE_MS - Date.now();
  if (wait > 0) {
    saying = setTimeout(announce, wait);
    return;
  }
  const text = toSay();
  if (text === spoken.text) return;
  spoken = {at: Date.now(), text};
  root.querySelector("[data-announce]").textContent = text;
}

// --- what the server draws anew ---

let drawing = 0, redrawn = new Set();
function redraw(element, ids) {
  for (const id of ids ?? (one ? ["head", "settlement", "what", "prices", "chart", "panel", "position", "tape", "facts", "edits"] : islands ?? [element.id])) redrawn.add(id);
  if (drawing) return;
  drawing = setTimeout(async () => {  // one fetch for all that happens within a moment, spread out over viewers
    const wanted = redrawn;
    redrawn = new Set();
    try {
      const page = await load(location.href, {headers: {Accept: "text/html"}});
      const seqs = Object.fromEntries([...page.querySelectorAll("[data-market]")].map(({dataset}) => [dataset.market, dataset.seq]));
      place(page, (island, fresh) => wanted.has(island.id) && !(island.id === "panel" && inUse(island, fresh)) && !(island.id === "comments" && busy(island)));
      for (const trade of Object.values(latest)) if (trade.seq > Number(seqs[trade.market_id])) queue(trade);  // it came while this page was drawn
      document.title = page.title;
      if (one) {
        if (wanted.has("chart")) begin();
        root.dispatchEvent(new CustomEvent("moved"));
      } else if (islands && socket?.readyState === WebSocket.OPEN) follow();
    } catch { setTimeout(() => redraw(element, [...wanted]), 2000); }
    drawing = 0;
    if (redrawn.size) redraw(element, []);  // asked for meanwhile
  }, 50 + Math.random() * 200);
}

// What is typed stays; where nothing is, a market that nobody can trade in says so also to who was about to type.
const inUse = (panel, fresh) => [...panel.querySelectorAll("input[inputmode]")].some(input => input.value)
  || (panel.contains(document.activeElement) && fresh.querySelector("#order"));

// Who writes, reads an earlier text, or is told why a comment was refused, is left alone until they have done.
let outdated = false;
const busy = talk => outdated = !!talk.querySelector("details[open], [role=alert], :focus") || [...talk.querySelectorAll("textarea, input")].some(field => field.value !== field.defaultValue);
const done = () => setTimeout(() => { if (outdated && !busy(document.getElementById("comments"))) redraw(root, ["comments"]); });

function begin() {
  const figure = document.getElementById("chart");
  chart = figure && new Chart(figure);
}

// Nothing changes its place under the pointer: what is new in the list is counted, and shown when one asks for it.
async function lookForNew() {
  const fresh = document.querySelector("[data-fresh]");
  if (document.hidden || !fresh) return;
  const page = await load(location.href).catch(() => null);
  const news = page ? [...page.querySelectorAll("[data-market]")].filter(({dataset}) => !shown(dataset.market)) : [];
  fresh.hidden = !news.length;
  fresh.querySelector("[data-count]").textContent = news.length;
}

document.addEventListener("toggle", ({target}) => { if (one && target.open && target.querySelector("#chart-table")) redraw(root, ["chart-table"]); }, true);
for (const event of ["toggle", "focusout"]) document.getElementById("comments")?.parentElement.addEventListener(event, done, true);
document.addEventListener("change", ({target}) => { if ("submits" in target.dataset) target.form.submit(); });

if (root) {
  if (one) {
    if (root.dataset.url !== location.pathname) history.replaceState(null, "", root.dataset.url);  // of a form that was refused
    begin();
    spoken.text = toSay();
  } else setInterval(lookForNew, NEWS_MS);
  document.addEventListener("visibilitychange", () => document.hidden ? (timer = setTimeout(sleep, HIDDEN_MS)) : (clearTimeout(timer), connect()));
  addEventListener("pagehide", sleep);
  addEventListener("pageshow", ({persisted}) => { if (persisted) connect(); });
  addEventListener("online", () => { if (!socket) connect(); });
  connect();
}
