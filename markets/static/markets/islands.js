// Islands are elements with `data-island` and an id, which the server draws: a fresh one takes the place of the one on the page.

import {show} from "./times.js";

export async function load(url, options = {}) {
  const answer = await fetch(url, options);
  if (answer.headers.has("X-Go")) location.assign(answer.headers.get("X-Go"));
  if (!answer.ok || answer.redirected) throw new Error(`${answer.status} ${answer.url}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

const FOCUSABLE = "a[href], button, input, select, textarea, summary";

export function place(page, wanted = () => true) {
  const placed = [];
  for (const fresh of page.querySelectorAll("[data-island]")) {
    const stale = document.getElementById(fresh.id);
    if (!stale || !wanted(stale, fresh) || stale.isEqualNode(fresh)) continue;
    const focused = [...stale.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    stale.replaceWith(document.adoptNode(fresh));
    if (focused >= 0) fresh.querySelectorAll(FOCUSABLE)[focused]?.focus({preventScroll: true});
    placed.push(fresh);
  }
  show();
  return placed;
}
