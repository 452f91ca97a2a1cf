// A qualification test by keyboard alone: an answer's key presses its button, Enter goes on.
"use strict";

(() => {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const next = document.getElementById("next");
    const form = document.getElementById("test");
    const button = form && form.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (button) {
      event.preventDefault();
      button.click();
    } else if (next && event.key === "Enter" && document.activeElement === document.body) {
      event.preventDefault();
      next.click();
    }
  });
})();
