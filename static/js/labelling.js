// In Label Studio's labelling page, put there by the gateway: what a labeler needs to work without
// a mouse and Label Studio does not offer. `o` (another brand) goes to the field for its name and
// finds the brand by a few letters of any of its names; `q` goes to the question; Escape comes
// back to the picture, where the number keys count again.
(() => {
  "use strict";
  const SHOWN = 8;
  const FIELDS = { o: "other_brand", q: "question" };
  let brands = null;
  let early = null; // what is typed between the key of a field and the field's being there

  const field = (name) => document.querySelector(`input[name="${name}"], textarea[name="${name}"]`);
  const isTyping = (element) => element.matches("input:not([type=checkbox], [type=radio]), textarea, [contenteditable=true]");

  async function load() {
    if (brands === null) {
      const answer = await fetch("/touchstone/brands.json");
      if (!answer.ok) throw new Error(`the brands' names: ${answer.status}`);
      brands = (await answer.json()).brands.map((brand) => ({
        title: brand.title,
        name: brand.name,
        words: brand.names.map((name) => name.toLowerCase()),
      }));
    }
    return brands;
  }

  // Names that begin with what was typed come before those that hold it further on.
  function matching(text, all) {
    const typed = text.trim().toLowerCase();
    if (!typed) return [];
    const place = (brand) => Math.min(...brand.words.map((word) => {
      const at = word.indexOf(typed);
      return at < 0 ? Infinity : at;
    }));
    return all.map((brand) => [place(brand), brand])
      .filter(([at]) => at < Infinity)
      .sort((one, other) => one[0] - other[0] || one[1].title.localeCompare(other[1].title))
      .slice(0, SHOWN).map(([, brand]) => brand);
  }

  // React keeps the value of its inputs; it only hears of a change made through the real setter.
  function fill(input, text) {
    const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), "value");
    set.call(input, text);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  class Suggestions {
    constructor(input) {
      this.input = input;
      this.list = document.createElement("ul");
      this.list.id = "touchstone-brands";
      this.list.className = "touchstone-brands";
      this.list.setAttribute("role", "listbox");
      input.setAttribute("role", "combobox");
      input.setAttribute("aria-autocomplete", "list");
      input.setAttribute("aria-controls", this.list.id);
      input.setAttribute("autocomplete", "off");
      input.parentElement.classList.add("touchstone-anchor");
      input.after(this.list);
      this.clear();
      input.addEventListener("input", () => {
        if (!this.picking) this.update();
      });
      input.addEventListener("keydown", (event) => this.key(event), true);
      input.addEventListener("blur", () => this.clear());
    }

    async update() {
      let all;
      try {
        all = await load();
      } catch (error) {
        this.tell(String(error.message));
        return;
      }
      this.found = matching(this.input.value, all);
      this.at = 0;
      this.draw();
    }

    clear() {
      this.found = [];
      this.at = 0;
      this.draw();
    }

    tell(text) {
      this.clear();
      const line = document.createElement("li");
      line.textContent = text;
      this.list.replaceChildren(line);
      this.list.hidden = false;
    }

    draw() {
      this.list.replaceChildren(...this.found.map((brand, number) => {
        const line = document.createElement("li");
        line.id = `touchstone-brand-${number}`;
        line.setAttribute("role", "option");
        line.setAttribute("aria-selected", String(number === this.at));
        line.textContent = brand.title;
        line.addEventListener("mousedown", (event) => {
          event.preventDefault();
          this.pick(number);
        });
        return line;
      }));
      this.list.hidden = this.found.length === 0;
      this.input.setAttribute("aria-expanded", String(!this.list.hidden));
      if (this.list.hidden) this.input.removeAttribute("aria-activedescendant");
      else this.input.setAttribute("aria-activedescendant", `touchstone-brand-${this.at}`);
    }

    pick(number) {
      const { name } = this.found[number];
      this.picking = true;
      fill(this.input, name);
      this.picking = false;
      this.clear();
    }

    key(event) {
      if (this.found.length === 0) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        this.at = (this.at + step + this.found.length) % this.found.length;
        this.draw();
      } else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") {
        this.pick(this.at);
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    }
  }

  function enter(name) {
    const input = field(name);
    const typed = early ?? "";
    early = null;
    if (!input) return;
    if (name === "other_brand" && input.getAttribute("role") !== "combobox") {
      new Suggestions(input);
      load().catch(() => {}); // said when a name is typed
    }
    input.focus();
    if (typed) fill(input, input.value + typed);
  }

  // In a field of its own Label Studio takes no Ctrl+Enter; its button takes what is typed along.
  function submit(input) {
    input.blur();
    setTimeout(() => document.querySelector('button[aria-label*="ubmit"], button[aria-label*="pdate"]')?.click(), 50);
  }

  document.addEventListener("keydown", (event) => {
    if (early !== null) {
      // A quick hand is ahead of the page: its letters are no keys of the choices.
      if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) early += event.key;
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    if (isTyping(event.target) && Object.values(FIELDS).includes(event.target.name)) {
      if (event.key === "Escape") {
        event.target.blur();
      } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        event.stopPropagation();
        submit(event.target);
      }
      return;
    }
    const name = FIELDS[event.key.toLowerCase()];
    if (!name || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (field(name)?.offsetParent) {
      event.preventDefault(); // the letter is not typed
      enter(name);
      return;
    }
    // After Label Studio's own key has picked the choice, which brings the field.
    early = "";
    setTimeout(() => enter(name), 0);
  }, true);

  // A field reached by mouse or Tab finds brands as well.
  document.addEventListener("focusin", (event) => {
    if (event.target.name === "other_brand") enter("other_brand");
  });
})();
