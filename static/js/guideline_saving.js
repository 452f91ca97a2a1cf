/* Keeps a draft: saves by itself a moment after the last change and on request, and never over what
   somebody else saved meanwhile unless its writer says so. */
"use strict";

window.touchstoneSaving = (root, { read, saved, replace }) => {
  const PAUSE = 1500; // ms after the last change
  const LONGEST_PAUSE = 60000; // between tries while the server does not answer
  const { saveAt, contentAt } = root.dataset;
  const token = root.querySelector("[name=csrfmiddlewaretoken]").value;
  const status = root.querySelector("[data-part=status]");
  const fault = root.querySelector("[data-part=fault]");
  const conflict = root.querySelector("[data-part=conflict]");
  let seen; // `edited_at` of what this page edits
  let theirs = null; // `edited_at` of what somebody else saved, once that is known
  let timer = 0;
  let isDirty = false;
  let isBusy = false;
  let tries = 0;

  function show(name) {
    status.textContent = root.dataset[name];
    status.dataset.state = name;
  }

  function blame(message) {
    fault.textContent = message;
    fault.hidden = !message;
  }

  function later(delay) {
    clearTimeout(timer);
    timer = setTimeout(save, delay);
  }

  function touched() {
    isDirty = true;
    tries = 0;
    if (theirs) return; // until its writer has chosen
    show("textUnsaved");
    later(PAUSE);
  }

  async function save() {
    clearTimeout(timer);
    if (theirs || !isDirty) return;
    if (isBusy) return later(200);
    isBusy = true;
    isDirty = false;
    show("textSaving");
    try {
      const response = await fetch(saveAt, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token },
        body: JSON.stringify({ edited_at: seen, content: read() }),
      });
      await answered(response);
    } catch {
      failed(root.dataset.textNoAnswer, true);
    } finally {
      isBusy = false;
    }
  }

  async function answered(response) {
    const isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
    if (!isJson) return failed(root.dataset.textNoAnswer, true); // a proxy's page, a log-in's
    const answer = await response.json();
    if (response.ok) {
      seen = answer.edited_at;
      tries = 0;
      blame("");
      show(isDirty ? "textUnsaved" : "textSaved");
      saved();
      return;
    }
    if (response.status === 409 && answer.edited_at) {
      isDirty = true;
      theirs = answer.edited_at;
      conflict.querySelector("[data-part=conflict-text]").textContent = answer.error;
      conflict.hidden = false;
      show("textUnsaved");
      conflict.querySelector("button").focus();
      return;
    }
    failed(answer.error, false);
  }

  function failed(why, again) {
    isDirty = true;
    blame(why);
    show("textUnsaved");
    if (again) later(Math.min(PAUSE * 2 ** ++tries, LONGEST_PAUSE));
  }

  function settled() {
    theirs = null;
    conflict.hidden = true;
  }

  conflict.querySelector("[data-do=mine]").addEventListener("click", () => {
    seen = theirs;
    settled();
    isDirty = true;
    save();
  });
  conflict.querySelector("[data-do=theirs]").addEventListener("click", async () => {
    try {
      const response = await fetch(contentAt);
      const draft = await response.json();
      settled();
      isDirty = false;
      replace(draft);
      blame("");
      show("textSaved");
    } catch {
      blame(root.dataset.textNoAnswer);
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if (isDirty || isBusy) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && isDirty && !fault.textContent) save();
  });

  return {
    touched,
    save() {
      isDirty = true;
      return save();
    },
    begin(edited) {
      seen = edited;
    },
    /* Saves what is not saved, then resolves to whether all of it is. */
    async settle() {
      for (let i = 0; (isDirty || isBusy) && !theirs && i < 50; i += 1) {
        if (isDirty) await save();
        if (isBusy) await new Promise((done) => setTimeout(done, 100));
        if (!fault.hidden) break;
      }
      return !isDirty && !isBusy;
    },
    post: (address, body) => fetch(address, { method: "POST", headers: { "X-CSRFToken": token }, body }),
    blame,
  };
};
