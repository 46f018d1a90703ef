// Asks for a quote while somebody types, and trades without leaving the page. The server draws both (markets/web/pages/panel.py).

import {micro, MICRO} from "./format.js";
import {load, place} from "./islands.js";

const FETCHED = {"X-Fetched": "1", Accept: "text/html"}, TYPING_MS = 200, REFRESH_MS = 1000, UNDO_MS = 10_000;
const root = document.querySelector("[data-live=market]"), find = id => document.getElementById(id);
let asking = null, typing = 0, refreshing = 0, placing = false;

const typed = () => find("amount")?.value.trim() || find("chance")?.value.trim();

async function ask() {
  const form = find("order");
  if (!form || placing) return;
  asking?.abort();
  const mine = asking = new AbortController();
  try {
    const query = new URLSearchParams(new FormData(form));
    const page = await load(`${form.action.split("#")[0]}?${query}`, {headers: FETCHED, signal: mine.signal});
    if (asking === mine && !placing) {
      place(page);
      const side = document.querySelector("#place [name=side]")?.value, radio = find("chance").value && side && form.querySelector(`[name=side][value=${side}]`);
      if (radio) radio.checked = true;  // an opinion chooses it
    }
  } catch (error) {
    if (error.name !== "AbortError" && asking === mine) setTimeout(ask, 2000);
  }
}

function later() {
  const button = document.querySelector("#place button");
  if (button) button.disabled = true;  // what it says is not what is typed any more
  clearTimeout(typing);
  typing = setTimeout(ask, TYPING_MS);
}

root.addEventListener("moved", () => {
  begin();  // the panel may be a new one
  if (refreshing || !typed()) return;
  refreshing = setTimeout(() => {
    refreshing = 0;
    if (!find("quote")?.querySelector("[name=sure], button:active")) ask();  // never a question that waits, nor under a finger
  }, REFRESH_MS);
});

document.addEventListener("input", ({target}) => {
  if (!target.closest("#order")) return;
  if (target.id === "amount" && target.value) find("chance").value = "";
  if (target.id === "chance" && target.value) find("amount").value = "";
  if (target.name === "side") find("amount").value = "";
  later();
});

document.addEventListener("click", event => {
  const step = event.target.closest("[data-add], [data-max]"), choose = event.target.closest("[data-choose]");
  if (step) {
    const amount = find("amount"), side = document.querySelector("[name=side]:checked")?.value, {held, most: here} = document.querySelector("[name=outcome]:checked").dataset;
    const most = side === "sell" ? held : String(Math.floor(100 * Math.min(step.dataset.max, here)) / 100);  // the balance, or all that the market takes
    amount.value = "max" in step.dataset ? most : String((micro(amount.value.replaceAll(",", "").replace(/cr\s*$/, "")) || 0) / MICRO + Number(step.dataset.add));
    find("chance").value = "";
    later();
  } else if (choose && find("order")) {
    event.preventDefault();
    const radio = document.querySelector(`#order [name=outcome][value="${choose.dataset.choose}"]`);
    if (radio) radio.checked = true;
    find("panel").scrollIntoView({block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"});
    find("amount").focus({preventScroll: true});
    if (typed()) later();
  }
});

document.addEventListener("keydown", event => {  // a form of two fields without a button does nothing by itself
  if (event.key !== "Enter" || event.isComposing || !event.target.matches("#order input")) return;
  event.preventDefault();
  find("order").requestSubmit();
});

document.addEventListener("submit", async event => {
  const form = event.target;
  if (form.id === "order") {  // Enter shows what one gets; once more, and it is done
    event.preventDefault();
    clearTimeout(typing);
    await ask();
    document.querySelector("#place button")?.focus();
  }
  if (form.id !== "place" && !("undo" in form.dataset)) return;
  event.preventDefault();
  if (placing) return;
  placing = true;
  asking?.abort();
  form.querySelector("button").disabled = true;
  try {
    const placed = place(await load(form.action, {method: "POST", headers: FETCHED, body: new URLSearchParams(new FormData(form))}));
    begin();
    if (placed.some(island => island.id === "panel")) {
      history.replaceState(null, "", location.pathname);  // the order in the address is done
      find("panel").focus({preventScroll: true});
      find("said").scrollIntoView({block: "nearest"});
      const undo = document.querySelector("[data-undo]");
      if (undo) setTimeout(() => undo.remove(), UNDO_MS);
    }
  } catch {
    form.querySelector("button").disabled = false;  // the same order again is carried out once
    const failed = Object.assign(document.createElement("p"), {className: "notice error", textContent: find("panel").dataset.failed});
    find("said").replaceChildren(failed);
    setTimeout(ask);  // for a form that the server takes: one has signed in anew in another tab
  }
  placing = false;
});

function begin() {  // buttons that need JavaScript
  for (const steps of document.querySelectorAll(".steps")) steps.hidden = false;
}

begin();

const bar = document.querySelector(".bar");  // the way to the panel is not needed where the panel is seen
if (bar) new IntersectionObserver(([{isIntersecting}]) => { bar.hidden = isIntersecting; }, {rootMargin: "0px 0px -40% 0px"}).observe(root.querySelector(".at-panel"));
