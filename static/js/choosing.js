// Choosing many: x toggles, Shift+x (or Shift+click) reaches back to the last one, j and k move.
// What is chosen survives the list renewing itself, and is sent with whichever form is used.
"use strict";

(() => {
  const bar = document.getElementById("chosen");
  const chosen = new Map(); // value → whether it is held
  let last = null;

  const boxes = () => [...document.querySelectorAll(`${bar.dataset.list} .choose input`)];

  const show = () => {
    boxes().forEach((box) => {
      box.checked = chosen.has(box.value);
      box.closest(".choosable").classList.toggle("is-chosen", box.checked);
    });
    const held = [...chosen.values()].filter(Boolean).length;
    bar.hidden = chosen.size === 0;
    bar.querySelectorAll("[data-count]").forEach((place) => {
      place.textContent = place.dataset.count === "held" ? held : chosen.size;
    });
    bar.querySelector("[data-if=held]").hidden = held === 0;
  };

  const set = (box, isChosen) => {
    if (isChosen) chosen.set(box.value, box.dataset.held === "1");
    else chosen.delete(box.value);
  };

  const toggle = (box, reach) => {
    const all = boxes();
    const isChosen = !chosen.has(box.value);
    const from = all.findIndex((one) => one.value === last);
    if (reach && from >= 0) {
      const to = all.indexOf(box);
      all.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => set(one, true));
    } else {
      set(box, isChosen);
    }
    last = box.value;
    show();
  };

  const move = (step) => {
    const all = boxes();
    const at = all.indexOf(document.activeElement);
    const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
    if (next) {
      next.focus();
      next.closest(".choosable").scrollIntoView({ block: "nearest" });
    }
  };

  const clear = () => {
    chosen.clear();
    bar.querySelectorAll("details").forEach((one) => { one.open = false; });
    show();
  };

  const open = (details) => {
    if (details.hidden) return;
    details.open = true;
    details.querySelector("textarea").focus();
  };

  document.addEventListener("click", (event) => {
    if (event.target.matches(".choose input")) toggle(event.target, event.shiftKey);
  });

  document.addEventListener("keydown", (event) => {
    const here = document.activeElement;
    const isWriting = here.matches("textarea, select, input:not([type=checkbox])");
    if (event.key === "Escape" && !bar.hidden) {
      const opened = bar.querySelector("details[open]");
      if (opened) {
        opened.open = false;
        opened.querySelector("summary").focus();
      } else if (!isWriting) {
        clear();
      }
      return;
    }
    if (isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
    else if (key === "x" && here.matches(".choose input")) toggle(here, event.shiftKey);
    else if (!bar.hidden && bar.querySelector(`[data-key=${CSS.escape(key)}]`))
      open(bar.querySelector(`[data-key=${CSS.escape(key)}]`).closest("details"));
    else return;
    event.preventDefault();
  });

  bar.querySelector("[data-clear]").addEventListener("click", clear);
  bar.addEventListener("submit", (event) => {
    event.target.querySelectorAll("[name=label]").forEach((old) => old.remove());
    chosen.forEach((_held, value) => {
      const field = document.createElement("input");
      field.type = "hidden";
      field.name = "label";
      field.value = value;
      event.target.append(field);
    });
  });

  // The list renews itself under the hand: the focus stays on its label too.
  let focused = null;
  document.addEventListener("htmx:beforeSwap", () => {
    const here = document.activeElement;
    focused = here.matches(".choose input") ? here.value : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const again = focused && boxes().find((box) => box.value === focused);
    if (again) again.focus();
    show();
  });
  show();
})();
