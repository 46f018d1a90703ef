// Makes the server's chart live: the lines grow as prices move, the view slides, and a crosshair tells the time and all prices.

import {MICRO, percent, tenths} from "./format.js";
import {shortTime} from "./times.js";

const SVG = "http://www.w3.org/2000/svg";

export class Chart {
  constructor(figure) {
    this.figure = figure;
    this.svg = figure.querySelector("svg");
    this.start = Number(figure.dataset.start);
    this.seconds = Number(figure.dataset.seconds);
    this.width = this.seconds;
    this.lines = [...figure.querySelectorAll("[data-line]")].map(path => ({
      path, outcome: path.dataset.line, label: path.dataset.label,
      steps: [...path.getAttribute("d").matchAll(/(?:M0 |H(\d+)V)(\d+)/g)].map(([, x, y]) => [Number(x || 0), Number(y)]),
    })).reverse();
    this.area = figure.querySelector("[data-area]");
    this.crosshair();
  }

  now() { return Math.max(this.seconds, Math.floor(Date.now() / 1000 - this.start)); }

  move(prices) {  // millionths by outcome id
    const x = this.now();
    for (const line of this.lines) {
      if (!(line.outcome in prices)) continue;
      line.now = percent(prices[line.outcome]);
      const y = MICRO / 1000 - Math.floor((prices[line.outcome] + 500) / 1000);
      const last = line.steps.at(-1);
      if (last[0] === x && line.steps.length > 1) last[1] = y;  // one step a second, however much is traded
      else if (last[1] !== y) line.steps.push([x, y]);
    }
    this.svg.setAttribute("aria-label", this.lines.map(({path, now}) => path.dataset.words.replace("{now}", now)).join("; "));
    this.draw();
  }

  draw() {
    const x = this.seconds = this.now();
    for (const {path, steps} of this.lines) path.setAttribute("d", this.steps(steps, x));
    let [low, high] = [1000 - this.figure.dataset.high * 10, 1000 - this.figure.dataset.low * 10];
    for (const {steps} of this.lines) {
      const y = steps.at(-1)[1];
      while (y < low) low -= 100;
      while (y > high) high += 100;
    }
    if (low !== 1000 - this.figure.dataset.high * 10 || high !== 1000 - this.figure.dataset.low * 10) this.rescale(1000 - high, 1000 - low);
    if (this.area) this.area.setAttribute("d", `${this.steps(this.lines[0].steps, x)}V${high}H0Z`);
    const left = "slides" in this.figure.dataset ? x - this.width : 0;
    this.svg.setAttribute("viewBox", `${left} ${low} ${(x - left) * 1.01} ${high - low}`);
  }

  steps(steps, end) {
    return `M0 ${steps[0][1]}${steps.slice(1).map(([x, y]) => `H${x}V${y}`).join("")}H${end}`;
  }

  rescale(low, high) {  // per mille
    Object.assign(this.figure.dataset, {low: low / 10, high: high / 10});
    const step = high - low > 500 ? 200 : 100, ticks = [];
    for (let tick = high; tick >= low; tick -= step) ticks.push(tick);
    this.svg.querySelector(".grid").setAttribute("d", ticks.map(tick => `M-1000000000 ${1000 - tick}H1000000000`).join(""));
    this.figure.querySelector(".ticks").replaceChildren(...ticks.map(tick => {
      const label = document.createElement("span");
      label.textContent = `${tick / 10}%`;
      return label;
    }));
  }

  dot(outcome, price) {  // a trade of one's own: a line without length has a round end
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", "dot");
    path.setAttribute("d", `M${this.now()} ${1000 - Math.round(price / 1000)}h0`);
    if (this.lines.some(line => line.outcome === String(outcome))) this.svg.append(path);
  }

  crosshair() {
    const tip = document.createElement("div"), rule = document.createElementNS(SVG, "path");
    tip.className = "tip"; tip.hidden = true; tip.setAttribute("aria-hidden", "true");
    rule.setAttribute("class", "rule");
    this.svg.append(rule);
    this.svg.parentElement.append(tip);
    const hide = () => { tip.hidden = true; rule.removeAttribute("d"); };
    this.svg.addEventListener("pointermove", event => {
      const box = this.svg.getBoundingClientRect(), [left, top, width, height] = this.svg.getAttribute("viewBox").split(" ").map(Number);
      const part = (event.clientX - box.left) / box.width, x = left + part * width;
      rule.setAttribute("d", `M${x} ${top}v${height}`);
      const told = this.lines.map(({label, steps}) => {
        const y = steps.findLast(([at]) => at <= x)?.[1];
        return y === undefined ? "" : `${this.lines.length > 1 ? `\u2068${label}\u2069 ` : ""}${tenths((1000 - y) * 1000)}`;
      });
      tip.textContent = [shortTime(new Date((this.start + x) * 1000)), ...told.filter(Boolean)].join(" · ");
      tip.hidden = false;
      tip.classList.toggle("right", part > 0.5);
      tip.style.insetInlineStart = `${part * box.width}px`;
    });
    this.svg.addEventListener("pointerleave", hide);
  }
}
