// The reviewers' keys: a button or field that names a key in data-keys is pressed or entered by it.
"use strict";

(() => {
  const places = () => [...document.querySelectorAll("[data-keys]")];

  const isTyping = (target) =>
    target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && isTyping(event.target)) {
      event.target.blur();
      return;
    }
    if (isTyping(event.target) || event.repeat) return;
    // Enter on a link or button is that link's or button's own.
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    const found = places().find((place) => place.dataset.keys.split(" ").includes(event.key));
    if (!found) return;
    event.preventDefault();
    if (found.matches("select, input")) found.focus();
    else found.click();
  });

  // One verdict a press: a second Enter must not reach the next picture.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-once]")) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });

  // A page taken from the browser's memory may send again.
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent);
  });

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-all]")) return;
    event.target.form.querySelectorAll("[name=copy]").forEach((box) => {
      box.checked = event.target.checked;
    });
  });
})();
