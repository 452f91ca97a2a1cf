/* The editor of a guideline's draft: one document, drawn into the page, with undo for all of it. */
"use strict";

(() => {
  const { attach, pressed } = window.touchstoneRegions;
  const root = document.getElementById("editor");
  const { pictureAt, previewAt } = root.dataset;
  const part = (node, name) => node.querySelector(`[data-part=${name}]`);
  const template = (name) => document.getElementById(name).content.firstElementChild;
  const list = part(root, "features");
  const preview = part(root, "preview");
  const FIELDS = ["rules", "not_violations", "least_logo", "change_note"];
  const MOST_STEPS = 200;
  const nodes = new Map(); // uid to what draws it
  let doc;
  let uids = 0;

  const newUid = () => `r${(uids += 1)}`;
  const words = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  /* The document and its history. */

  let past = [];
  let future = [];
  let present;
  let typing = 0;

  function load(content) {
    doc = content;
    for (const feature of doc.features) {
      feature.uid = newUid();
      for (const example of feature.examples) {
        example.uid = newUid();
        for (const region of example.regions) region.uid = newUid();
      }
    }
    past = [];
    future = [];
    present = JSON.stringify(doc);
    draw();
  }

  function commit() {
    clearTimeout(typing);
    const now = JSON.stringify(doc);
    if (now === present) return;
    past.push(present);
    if (past.length > MOST_STEPS) past.shift();
    present = now;
    future = [];
    drawSteps();
    saving.touched();
  }

  // Many small changes, of a text or of a region under the mouse, are one step.
  function commitSoon() {
    clearTimeout(typing);
    typing = setTimeout(commit, 500);
  }

  function change(what) {
    commit();
    what();
    commit();
    draw();
  }

  function step(from, to) {
    commit();
    if (!from.length) return;
    to.push(present);
    present = from.pop();
    doc = JSON.parse(present);
    draw();
    saving.touched();
  }
  const undo = () => step(past, future);
  const redo = () => step(future, past);

  function content() {
    const bare = ({ uid, ...rest }) => rest;
    return {
      ...doc,
      features: doc.features.map((feature) => ({
        ...bare(feature),
        examples: feature.examples.map(({ file, regions }) => ({ file, regions: regions.map(bare) })),
      })),
    };
  }

  /* Drawing: nodes are kept by uid, so that focus and half-typed words stay where they are. */

  function put(field, value) {
    if (field.type === "checkbox") field.checked = value;
    else if (field.value !== (value ?? "").toString()) field.value = value ?? "";
  }

  function place(parent, children) {
    children.forEach((child, i) => {
      if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] || null);
    });
    while (parent.children.length > children.length) parent.lastElementChild.remove();
  }

  function draw() {
    for (const name of FIELDS) put(part(root, name), doc[name]);
    const kept = new Set();
    place(list, doc.features.map((feature, i) => drawFeature(feature, i, kept).node));
    for (const [uid, drawn] of nodes) {
      if (!kept.has(uid)) {
        drawn.destroy?.();
        nodes.delete(uid);
      }
    }
    part(root, "no-features").hidden = doc.features.length > 0;
    drawSteps();
  }

  function drawSteps() {
    part(root, "undo").disabled = !past.length;
    part(root, "redo").disabled = !future.length;
  }

  function known(uid, make, kept) {
    kept.add(uid);
    if (!nodes.has(uid)) nodes.set(uid, make());
    return nodes.get(uid);
  }

  const featureOf = (uid) => doc.features.find((feature) => feature.uid === uid);
  const exampleOf = (uid) => doc.features.flatMap(({ examples }) => examples).find((one) => one.uid === uid);

  function drawFeature(feature, i, kept) {
    const drawn = known(feature.uid, () => makeFeature(feature.uid), kept);
    part(drawn.node, "number").textContent = i + 1;
    for (const name of ["kind", "text", "registered"]) put(part(drawn.node, name), feature[name]);
    part(drawn.node, "up").disabled = i === 0;
    part(drawn.node, "down").disabled = i === doc.features.length - 1;
    const examples = feature.examples.map((example) => drawExample(example, kept).node);
    place(part(drawn.node, "examples"), examples);
    return drawn;
  }

  function makeFeature(uid) {
    const node = template("feature-template").cloneNode(true);
    for (const name of ["kind", "text", "registered"]) {
      const field = part(node, name);
      field.addEventListener("input", () => {
        featureOf(uid)[name] = field.type === "checkbox" ? field.checked : field.value;
        if (name === "text") commitSoon();
        else commit();
      });
    }
    const move = (by) => change(() => {
      const i = doc.features.findIndex((feature) => feature.uid === uid);
      doc.features.splice(i + by, 0, ...doc.features.splice(i, 1));
    });
    for (const [name, by] of [["up", -1], ["down", 1]]) {
      part(node, name).addEventListener("click", () => {
        move(by);
        const button = part(node, name);
        (button.disabled ? part(node, by < 0 ? "down" : "up") : button).focus();
      });
    }
    part(node, "remove").addEventListener("click", () => {
      change(() => { doc.features = doc.features.filter((feature) => feature.uid !== uid); });
      part(root, "add-feature").focus();
    });
    const file = part(node, "file");
    file.addEventListener("change", async () => {
      for (const one of [...file.files]) await addPicture(uid, "file", one);
      file.value = "";
    });
    const hash = part(node, "hash");
    const pick = async () => {
      if (hash.value.trim() && (await addPicture(uid, "sha256", hash.value.trim()))) hash.value = "";
    };
    part(node, "pick").addEventListener("click", pick);
    hash.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      pick();
    });
    return { node };
  }

  async function addPicture(uid, name, value) {
    const form = new FormData();
    form.append(name, value);
    let answer;
    try {
      const response = await saving.post(pictureAt, form);
      answer = await response.json();
    } catch {
      answer = { error: root.dataset.textNoPicture };
    }
    saving.blame(answer.error || "");
    if (answer.error) return false;
    const feature = featureOf(uid);
    if (feature) change(() => feature.examples.push({ uid: newUid(), ...answer, regions: [] }));
    return true;
  }

  /* Examples and their regions. */

  function drawExample(example, kept) {
    const drawn = known(example.uid, () => makeExample(example), kept);
    drawn.regions?.set(example.regions);
    place(part(drawn.node, "regions"), example.regions.map((region, i) => {
      const item = known(region.uid, () => makeRegion(example.uid, region.uid), kept);
      const { x1, y1, x2, y2 } = region;
      const size = { number: i + 1, x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
      for (const name of Object.keys(size)) size[name] = Math.round(size[name]);
      part(item.node, "region").textContent = words(root.dataset.textRegion, size);
      return item.node;
    }));
    return drawn;
  }

  function setRegion(exampleUid, uid, next) {
    const example = exampleOf(exampleUid);
    example.regions = example.regions
      .map((region) => (region.uid === uid ? next : region))
      .filter((region) => region !== null);
    commitSoon();
    draw();
  }

  function onKey(event, exampleUid, uid) {
    const example = exampleOf(exampleUid);
    const i = example.regions.findIndex((region) => region.uid === uid);
    if (i < 0) return;
    const next = pressed(event, example.regions[i], example.width, example.height);
    if (next === undefined) return;
    event.preventDefault();
    if (next !== null) return setRegion(exampleUid, uid, next);
    change(() => example.regions.splice(i, 1));
    const after = example.regions[i] || example.regions[i - 1];
    const drawn = nodes.get(exampleUid);
    if (after) part(nodes.get(after.uid).node, "region").focus();
    else part(drawn.node, "add-region").focus();
  }

  function choose(drawn, uid) {
    drawn.chosen = uid;
    for (const button of drawn.node.querySelectorAll("[data-part=region]")) {
      button.setAttribute("aria-pressed", String(button.dataset.uid === uid));
    }
  }

  function makeExample(example) {
    const { uid, width, height } = example;
    const node = template("example-template").cloneNode(true);
    const drawn = { node, chosen: null };
    const image = part(node, "image");
    image.addEventListener("load", () => {
      drawn.regions = attach(image, {
        width, height, label: root.dataset.textCanvas,
        changed(regions) {
          exampleOf(uid).regions = regions;
          commitSoon();
          draw();
        },
        selected: (chosen) => choose(drawn, chosen),
      });
      drawn.regions.element.addEventListener("keydown", (event) => onKey(event, uid, drawn.chosen));
      drawn.regions.set(exampleOf(uid).regions);
      node.dataset.ready = "";
    }, { once: true });
    image.addEventListener("error", () => saving.blame(root.dataset.textLostPicture), { once: true });
    image.width = width;
    image.height = height;
    image.src = example.address;
    part(node, "add-region").addEventListener("click", () => {
      const [w, h] = [Math.max(2, Math.round(width / 4)), Math.max(2, Math.round(height / 4))];
      const [x1, y1] = [Math.round((width - w) / 2), Math.round((height - h) / 2)];
      const region = { uid: newUid(), x1, y1, x2: x1 + w, y2: y1 + h };
      change(() => exampleOf(uid).regions.push(region));
      part(nodes.get(region.uid).node, "region").focus();
    });
    part(node, "remove").addEventListener("click", () => change(() => {
      for (const feature of doc.features) {
        feature.examples = feature.examples.filter((one) => one.uid !== uid);
      }
    }));
    drawn.destroy = () => drawn.regions?.destroy();
    return drawn;
  }

  function makeRegion(exampleUid, uid) {
    const node = template("region-template").cloneNode(true);
    const button = part(node, "region");
    button.dataset.uid = uid;
    button.addEventListener("focus", () => {
      const drawn = nodes.get(exampleUid);
      drawn?.regions?.select(uid);
      if (drawn) choose(drawn, uid);
    });
    button.addEventListener("keydown", (event) => onKey(event, exampleUid, uid));
    part(node, "remove").addEventListener("click", () => change(() => {
      const example = exampleOf(exampleUid);
      example.regions = example.regions.filter((region) => region.uid !== uid);
    }));
    return { node };
  }

  /* The page around it. */

  async function refresh() {
    const response = await fetch(previewAt);
    // Drawn and cleaned by the server, as for labelers.
    if (response.ok) preview.innerHTML = await response.text();
  }

  const saving = window.touchstoneSaving(root, {
    read: content,
    saved: () => refresh().catch(() => {}), // the next save draws it anew
    replace(draft) {
      saving.begin(draft.edited_at);
      load(draft.content);
      refresh().catch(() => {});
    },
  });

  for (const name of FIELDS) {
    const field = part(root, name);
    field.addEventListener("input", () => {
      doc[name] = name === "least_logo" ? (field.value === "" ? null : Number(field.value)) : field.value;
      commitSoon();
    });
    field.addEventListener("change", commit);
  }
  part(root, "undo").addEventListener("click", undo);
  part(root, "redo").addEventListener("click", redo);
  part(root, "save").addEventListener("click", () => {
    commit();
    saving.save();
  });
  part(root, "add-feature").addEventListener("click", () => {
    const feature = { uid: newUid(), kind: "logo", text: "", registered: false, examples: [] };
    change(() => doc.features.push(feature));
    part(nodes.get(feature.uid).node, "text").focus();
  });

  // Before anybody else's: Annotorious would undo its own drawing at every Ctrl+Z on the page.
  window.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey)) return;
    const key = event.key.toLowerCase();
    if (key === "s") {
      event.preventDefault();
      commit();
      saving.save();
    } else if (key === "z" || key === "y") {
      event.stopImmediatePropagation();
      if (event.target.matches("textarea, input:not([type=checkbox])")) return; // the text's own undo
      event.preventDefault();
      if (key === "y" || event.shiftKey) redo();
      else undo();
    }
  }, true);

  // What leaves the page with the draft, takes it as it is now.
  for (const form of document.querySelectorAll("form[data-part=leave]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      commit();
      if (await saving.settle()) form.submit();
    });
  }
  for (const link of document.querySelectorAll("a[data-part=leave]")) {
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      commit();
      if (await saving.settle()) window.location.assign(link.href);
    });
  }

  const draft = JSON.parse(root.dataset.draft);
  saving.begin(draft.edited_at);
  load(draft.content);
})();
