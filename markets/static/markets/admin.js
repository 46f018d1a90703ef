// The page "Resolve": buttons that fill in the weights, and their sum as one types. Without JavaScript one types them.

const weights = [...document.querySelectorAll("[data-weight]")];
const status = document.querySelector("[data-weights]");

function sum() {  // in millionths, so that 0.1 + 0.2 is 0.3
  return weights.reduce((total, input) => total + Math.round(Number(input.value || 0) * 1e6), 0);
}

function say() {
  if (!status) return;
  const total = sum();
  status.textContent = total === 1e6 ? "The weights sum to 1." : `The weights sum to ${total / 1e6}; they must sum to 1.`;
}

for (const button of document.querySelectorAll("[data-preset]")) {
  button.addEventListener("click", () => {
    button.dataset.preset.split(" ").forEach((value, place) => { weights[place].value = value; });
    say();
  });
}
for (const input of weights) input.addEventListener("input", say);
if (weights.some(input => input.value)) say();
