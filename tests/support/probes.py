"""What a page must not have, as a browser lays it out: each probe gives a list of what is wrong."""

SIDE_SCROLL = """() => {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return wide > 0 ? [`${wide} px too wide`] : [];
}"""
OUT_OF_BOX = """() => [...document.querySelectorAll("main *, header *, footer *")].filter(element => {
  const box = element.getBoundingClientRect();
  if (!box.width || element.closest(".chips, .unseen, .scrolls, .prose table, svg, .skip, .cards .meta, .row")) return false;
  return box.left < -1 || box.right > document.documentElement.clientWidth + 1;
}).map(element => element.outerHTML.slice(0, 120))"""
TURNED_AROUND = """() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
  const at = (node, i) => { range.setStart(node, i); range.setEnd(node, i + 1); return range.getBoundingClientRect(); };
  for (let node; node = walker.nextNode();) {
    const text = node.data;
    if (text.includes("\\u202e") || !/[a-z]{2}/.test(text) || node.parentElement.closest(".unseen, select, noscript, template, [hidden], .prose")) continue;
    const begin = text.search(/[a-z]{2}/), [one, two] = [at(node, begin), at(node, begin + 1)];
    if (one.width && one.top === two.top && two.left < one.left) found.push(text.trim().slice(0, 80));
  }
  return found;
}"""
ACCENTS_LOOSE = """() => {
  const found = [], walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    if (!/\\p{M}{4}/u.test(node.data) || !node.parentElement.getClientRects().length) continue;
    let box = node.parentElement;
    while (box.id !== "main" && !["hidden", "clip", "auto"].includes(getComputedStyle(box).overflowY)) box = box.parentElement;
    if (box.id === "main") found.push(node.parentElement.parentElement.outerHTML.slice(0, 160));
  }
  return found;
}"""
SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")].filter(element => {
  const box = (element.closest("label") ?? element).getBoundingClientRect();
  if (!box.width || element.matches(".skip") || getComputedStyle(element).display === "inline") return false;
  return box.height < 43.5 || box.width < 24;
}).map(element => element.outerHTML.slice(0, 120))"""
