// The admin's forms of markets: weights and probabilities are summed as one types, texts are shown as viewers will see
// them, and what was typed survives a session that has ended. Without JavaScript the forms work as they stand.

const form = document.getElementById("market_form") || document.querySelector("form[data-kept]");

function element(tag, text, props = {}) {
  return Object.assign(document.createElement(tag), {textContent: text, ...props});
}

function millionths(inputs) {  // so that 0.1 + 0.2 is 0.3
  return inputs.reduce((total, input) => total + Math.round(Number(input.value || 0) * 1e6), 0);
}

// "Resolve": buttons that fill in the weights

const weights = [...document.querySelectorAll("[data-weight]")];

function sayWeights() {
  const total = millionths(weights), place = document.querySelector("[data-weights]");
  if (place) place.textContent = total === 1e6 ? "The weights sum to 1." : `The weights sum to ${total / 1e6}; they must sum to 1.`;
}

for (const button of document.querySelectorAll("[data-preset]")) {
  button.addEventListener("click", () => {
    button.dataset.preset.split(" ").forEach((value, place) => { weights[place].value = value; });
    sayWeights();
  });
}
for (const input of weights) input.addEventListener("input", sayWeights);
if (weights.some(input => input.value)) sayWeights();

// Outcomes of a new market: the sum of their probabilities

function probabilities() {
  return [...document.querySelectorAll("[data-probability]")].filter(input => !input.name.includes("__prefix__"));
}

function sayProbabilities() {
  const inputs = probabilities(), total = millionths(inputs), empty = inputs.filter(input => !input.value).length;
  let text = `The probabilities sum to ${total / 1e6}`;
  if (total > 1e6 || (total === 1e6 && empty)) text += ": too much. They must sum to 1.";
  else if (empty) text += `; ${empty} left empty share${empty === 1 ? "s" : ""} the rest, ${(1e6 - total) / 1e6}.`;
  else text += total === 1e6 ? "." : "; they must sum to 1.";
  sum.textContent = text;
}

const sum = element("p", "", {role: "status", className: "px-3 py-2"});
const group = document.getElementById("outcomes-group");
if (form && group && probabilities().length) {
  group.append(sum);
  form.addEventListener("input", event => { if ("probability" in event.target.dataset) sayProbabilities(); });
  sayProbabilities();
}

// The search field of a list that completes itself is named as the field is

window.addEventListener("load", () => {
  for (const search of document.querySelectorAll(".select2-search__field")) {
    const select = search.closest(".select2")?.previousElementSibling;
    const label = select && document.querySelector(`label[for="${select.id}"]`);
    if (label) search.setAttribute("aria-label", label.textContent.trim());
  }
});

// Texts as viewers will see them

for (const name of ["description", "resolution_criteria"]) {
  const area = form?.elements[name];
  if (area?.tagName !== "TEXTAREA") continue;
  const shown = element("div", "", {className: "prose border border-base-200 rounded-default p-3 mt-2 dark:border-base-800", hidden: true});
  const button = element("button", "Preview", {type: "button", className: "text-primary-600 dark:text-primary-400 cursor-pointer mt-2"});
  button.addEventListener("click", async () => {
    const sent = new FormData();
    sent.set("text", area.value);
    sent.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    const answer = await fetch("/admin/markets/market/preview/", {method: "POST", body: sent}).catch(() => null);
    if (answer?.ok && !answer.redirected) shown.innerHTML = await answer.text();  // cleaned by the server
    else shown.textContent = "The preview cannot be had right now.";
    shown.hidden = false;
  });
  area.after(button, shown);
}

// What was typed and chosen, kept in this tab until the server has it: a page of another address, right after the form
// was sent from there, says so. (The page to sign in, which may come between, does not load this.)

const prefix = "bellwether ", store = prefix + location.pathname;

function shown(field) {
  return field?.tagName === "SELECT" ? [...field.selectedOptions].map(option => [option.value, option.text]) : field?.value;
}

function typed() {
  const kept = {};
  for (const input of form.elements) {
    const chosen = input.tagName === "SELECT" && [...input.options].some(option => option.selected !== option.defaultSelected);
    if (chosen && input.name) kept[input.name] = shown(input);
    const text = input.tagName === "TEXTAREA" || ["text", "url", "number"].includes(input.type);
    if (text && input.name && input.value !== input.defaultValue) kept[input.name] = input.value;
  }
  return kept;
}

function keep(sent) {
  sessionStorage.setItem(store, JSON.stringify({sent, values: typed()}));
}

function offer(values) {
  sessionStorage.setItem(store, JSON.stringify({sent: false, values}));  // one may look around first
  const place = element("div", "You typed something here that was not saved.", {role: "alert", className: "mb-6 p-3 border border-base-200 rounded-default dark:border-base-800 flex flex-row flex-wrap gap-3"});
  const restore = element("button", "Put it back", {type: "button", className: "text-primary-600 dark:text-primary-400 cursor-pointer"});
  const discard = element("button", "Discard it", {type: "button", className: "cursor-pointer"});
  restore.addEventListener("click", () => {
    for (const [name, value] of Object.entries(values)) {
      for (let more = 0; !form.elements[name] && name.startsWith("outcomes-") && more < 20; more += 1) {
        document.querySelector("#outcomes-group .add-row")?.click();
      }
      const field = form.elements[name];
      if (!field) continue;
      if (field.tagName === "SELECT") {
        const values = [...field.options].map(option => option.value);
        for (const [key, text] of value) if (!values.includes(key)) field.add(new Option(text, key));
        for (const option of field.options) option.selected = value.some(([key]) => key === option.value);
      } else field.value = value;
      for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, {bubbles: true}));
    }
    place.remove();
  });
  discard.addEventListener("click", () => { sessionStorage.removeItem(store); place.remove(); });
  place.append(restore, discard);
  form.before(place);
}

const before = document.referrer && prefix + new URL(document.referrer).pathname;
if (before !== store && JSON.parse(sessionStorage.getItem(before) || "{}").sent) sessionStorage.removeItem(before);
if (form && (form.dataset.kept !== undefined || document.querySelector("[form=market_form][name=_save]"))) {
  const {values} = JSON.parse(sessionStorage.getItem(store) || '{"values": {}}');
  const lost = Object.entries(values).some(([name, value]) => JSON.stringify(shown(form.elements[name])) !== JSON.stringify(value));
  if (lost && !form.querySelector(".errors, .errornote")) offer(values);
  else sessionStorage.removeItem(store);
  form.addEventListener("input", () => keep(false));
  form.addEventListener("submit", () => keep(true));
}
