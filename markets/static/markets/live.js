// Keeps a page current. The server renders it whole; this moves the prices with every event, and fetches the page again
// when more than prices changed. Without JavaScript the page is simply as old as its last load.

const TYPES = ["trade", "market.created", "market.updated", "market.scheduled", "market.opened", "market.paused", "market.resolution_proposed", "market.resolution_withdrawn",
               "market.closed", "market.resolved", "market.unresolved", "market.cancelled"];
const pulse = document.querySelector("[data-pulse]");
let refreshing = null;

function text(price) {  // as the template's `percent`
  const p = Number(price) * 100;
  if (p > 0 && p < 0.1) return "<0.1%";
  if (p > 99.9 && p < 100) return ">99.9%";
  return p.toFixed(1).replace(/\.0$/, "") + "%";
}

function show(prices) {
  for (const [outcome, price] of Object.entries(prices)) {
    const bar = document.querySelector(`[data-bar="${outcome}"]`);
    const label = document.querySelector(`[data-price="${outcome}"]`);
    if (bar) bar.value = Number(price) * 100;
    if (label && label.textContent !== text(price)) {
      label.textContent = text(price);
      label.classList.add("moved");
      requestAnimationFrame(() => requestAnimationFrame(() => label.classList.remove("moved")));
    }
  }
}

async function refresh() {  // one fetch for all that happens within a moment, spread out over viewers
  if (refreshing) return;
  refreshing = setTimeout(async () => {
    refreshing = null;
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}}).catch(() => null);
    if (!answer || !answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]"), stale = document.querySelector("[data-live]");
    if (!fresh || Number(fresh.dataset.seq) < Number(stale.dataset.seq)) return;
    if (fresh.dataset.seq) stale.dataset.seq = fresh.dataset.seq;
    stale.replaceChildren(...fresh.childNodes);
    document.title = page.title;
  }, 50 + Math.random() * 200);
}

function shown(id) {
  return document.querySelector(`[data-market="${id}"]`);
}

function hear(event) {
  const message = JSON.parse(event.data), element = shown(message.market_id);
  if (!element && message.type === "trade") return;
  if (element && message.seq <= Number(element.dataset.seq)) return;
  if (element) element.dataset.seq = message.seq;
  if (message.type === "trade") show(message.prices); else refresh();
}

function catchUp(event) {
  const snapshot = JSON.parse(event.data);
  for (const market of snapshot.markets || [snapshot]) {
    const element = shown(market.market_id);
    if (element && market.seq > Number(element.dataset.seq)) refresh();
  }
}

const live = document.querySelector("[data-live]");
if (live) {
  const after = live.dataset.seq ? `?after_seq=${live.dataset.seq}` : "";
  const stream = new EventSource(live.dataset.live + after);
  for (const type of TYPES) stream.addEventListener(type, hear);
  stream.addEventListener("snapshot", catchUp);
  stream.onopen = () => { pulse.hidden = false; pulse.textContent = "live"; pulse.classList.remove("away"); };
  stream.onerror = () => { pulse.hidden = false; pulse.textContent = "reconnecting"; pulse.classList.add("away"); };
  addEventListener("pagehide", () => stream.close());
}
