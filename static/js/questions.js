// Answering a question without a mouse: keys choose while no text is being written, Ctrl+Enter
// sends from anywhere.
"use strict";

(() => {
  const form = document.getElementById("answer");
  const isWriting = (element) =>
    element instanceof HTMLElement && element.matches("textarea, select, input:not([type=radio], [type=checkbox])");

  const follow = (rel) => {
    const link = document.querySelector(`a[rel=${rel}]`);
    if (link) link.click();
    return Boolean(link);
  };

  const showOther = () => {
    const other = form.querySelector(".other");
    if (!other) return;
    const picked = form.querySelector("[name=verdict]:checked");
    other.hidden = !picked || picked.value !== "@other";
    // What is hidden must not be sent: a name typed before another verdict was picked is moot.
    other.querySelector("input").disabled = other.hidden;
  };

  const choose = (input) => {
    if (input.type === "checkbox") {
      input.checked = !input.checked;
      input.focus();
      return;
    }
    input.checked = true;
    showOther();
    if (input.value === "@other") form.querySelector(".other input").focus();
    else form.elements.reply.focus();
  };

  const press = (event) => {
    if (form && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape" && isWriting(document.activeElement)) {
      document.activeElement.blur();
      return;
    }
    if (isWriting(document.activeElement)) return;
    const input = form && form.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (input) {
      choose(input);
    } else if (form && event.key === "r") {
      form.elements.reply.focus();
    } else if (!(event.key === "n" && follow("next")) && !(event.key === "p" && follow("prev"))) {
      return;
    }
    event.preventDefault();
  };

  // A combobox of brands: arrows move, Enter takes.
  let turn = 0;
  const list = document.getElementById("brands");
  const options = () => (list ? [...list.children] : []);
  const current = () => options().find((option) => option.getAttribute("aria-selected") === "true");

  const mark = (field, option) => {
    options().forEach((one) => one.setAttribute("aria-selected", String(one === option)));
    if (option) option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option ? option.id : "");
  };

  const offer = (field, brands) => {
    list.replaceChildren(
      ...brands.map((brand, number) => {
        const option = document.createElement("li");
        option.id = `brand-option-${number}`;
        option.setAttribute("role", "option");
        option.dataset.key = brand.key;
        option.textContent = `${brand.name_en} ${brand.name_zh}`.trim();
        return option;
      }),
    );
    list.hidden = !brands.length;
    field.setAttribute("aria-expanded", String(!list.hidden));
    mark(field, list.firstElementChild);
  };

  const take = (field, option) => {
    field.value = option.dataset.key;
    turn += 1;
    offer(field, []);
    form.elements.reply.focus();
  };

  const search = async (field) => {
    const mine = ++turn;
    const words = field.value.trim();
    if (!words) return offer(field, []);
    const answer = await fetch(`${form.dataset.brands}?q=${encodeURIComponent(words)}`);
    if (answer.ok && mine === turn) offer(field, (await answer.json()).results.slice(0, 12));
  };

  const move = (event, field) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const all = options();
    if (step && all.length) {
      const at = all.indexOf(current());
      mark(field, all[(at + step + all.length) % all.length]);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      // Never the form's own Enter, which would send it half filled in.
      if (current()) take(field, current());
      else form.elements.reply.focus();
    } else {
      return;
    }
    event.preventDefault();
  };

  document.addEventListener("keydown", press);
  if (!form) return;
  showOther();
  form.addEventListener("change", showOther);
  const field = form.querySelector("[name=brand]");
  if (field) {
    field.addEventListener("input", () => search(field));
    field.addEventListener("keydown", (event) => move(event, field));
    list.addEventListener("mousedown", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) take(field, option);
      event.preventDefault();
    });
  }
  // Sent once: a second Ctrl+Enter while the first travels would only be refused.
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  window.addEventListener("pageshow", () => { sent = false; });
})();
