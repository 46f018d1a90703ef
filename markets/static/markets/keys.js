// Copies a new key, and keeps a second press of "Make the key" from losing the first one's answer.

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy), said = document.querySelector("[data-said]");
  button.hidden = false;
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }  // http has no clipboard
    said.textContent = button.dataset.copied;
  });
}

for (const form of document.querySelectorAll("[data-once]")) {
  form.addEventListener("submit", event => {
    if ("sent" in form.dataset) event.preventDefault();
    form.dataset.sent = "";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}
