/* Regions on one example picture: Annotorious draws, moves and resizes by mouse and touch; whole
   pixels, inside the picture, never turned. */
"use strict";

window.touchstoneRegions = (() => {
  const CORNERS = ["x1", "y1", "x2", "y2"];
  const LEAST = 2; // pixels

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function tidy(region, width, height) {
    const [x1, x2] = [region.x1, region.x2].map((x) => clamp(Math.round(x), 0, width));
    const [y1, y2] = [region.y1, region.y2].map((y) => clamp(Math.round(y), 0, height));
    return { uid: region.uid, x1, y1, x2, y2 };
  }

  const isSame = (one, other) => CORNERS.every((corner) => one[corner] === other[corner]);

  function toAnnotation({ uid, x1, y1, x2, y2 }) {
    const bounds = { minX: x1, minY: y1, maxX: x2, maxY: y2 };
    const geometry = { x: x1, y: y1, w: x2 - x1, h: y2 - y1, rot: 0, bounds };
    return { id: uid, bodies: [], target: { annotation: uid, selector: { type: "RECTANGLE", geometry } } };
  }

  // Its own `bounds` lag behind while a region is dragged.
  function fromAnnotation({ id, target }) {
    const { x, y, w, h } = target.selector.geometry;
    return { uid: id, x1: x, y1: y, x2: x + w, y2: y + h };
  }

  /* Makes `image` a canvas. `changed(regions)` while and after somebody draws, `selected(uid or
     null)` when another region is chosen. Gives back `set(regions)`, `select(uid)`, `destroy()`. */
  function attach(image, { width, height, label, changed, selected }) {
    const annotator = Annotorious.createImageAnnotator(image, { drawingMode: "drag", theme: "light" });
    const layer = annotator.element.querySelector(".a9s-annotationlayer");
    // The list of regions beside the picture is what the keyboard and screen readers use.
    layer.setAttribute("aria-label", label);
    layer.setAttribute("role", "img");
    layer.setAttribute("tabindex", "-1");
    const handles = new MutationObserver(() => {
      for (const handle of layer.querySelectorAll("[role=button]")) {
        handle.removeAttribute("role");
        handle.removeAttribute("tabindex");
      }
    });
    handles.observe(layer, { childList: true, subtree: true });

    // Stored numbers of a region that nobody touched stay as they are, fractions and all.
    let known = new Map();
    function current() {
      return annotator.getAnnotations().map((annotation) => {
        const drawn = fromAnnotation(annotation);
        const before = known.get(drawn.uid);
        const isUntouched = before && CORNERS.every((c) => Math.abs(before[c] - drawn[c]) < 1e-6);
        return isUntouched ? before : tidy(drawn, width, height);
      });
    }

    let isSetting = false;
    annotator.state.store.observe(() => {
      if (isSetting) return;
      changed(current().filter(({ x1, y1, x2, y2 }) => x2 - x1 >= LEAST && y2 - y1 >= LEAST));
    });
    annotator.on("selectionChanged", (annotations) => {
      if (!isSetting) selected(annotations.length ? annotations[0].id : null);
    });

    /* With a region chosen, Annotorious takes the next press beside it for its end only. Drawing one
       region after another should not need a press between, so that press is given once more. */
    function pressBeside(event) {
      if (!event.isTrusted || event.button !== 0) return;
      const isOnChosen = event.target.closest(".a9s-annotation.selected");
      if (isOnChosen || !annotator.getSelected().length) return;
      event.stopImmediatePropagation();
      annotator.cancelSelected();
      // After Annotorious has put its tool back, and before the button can be let go.
      queueMicrotask(() => layer.dispatchEvent(new PointerEvent("pointerdown", event)));
    }
    // A region drawn over the picture's edge ends there, wherever the button is let go.
    function hold(event) {
      if (event.target.closest(".a9s-annotation.selected")) return;
      try {
        layer.setPointerCapture(event.pointerId);
      } catch {
        // The button is up again already: nothing is left to follow.
      }
    }
    annotator.element.addEventListener("pointerdown", pressBeside, true);
    annotator.element.addEventListener("pointerdown", hold);

    return {
      element: annotator.element,
      set(regions) {
        const now = current();
        known = new Map(regions.map((region) => [region.uid, { ...region }]));
        const isUnchanged =
          now.length === regions.length &&
          regions.every((region, i) => region.uid === now[i].uid && isSame(region, now[i]));
        if (isUnchanged) return;
        const chosen = annotator.getSelected()[0]?.id;
        isSetting = true;
        annotator.setAnnotations(regions.map(toAnnotation), true);
        if (chosen && known.has(chosen)) annotator.setSelected(chosen, true);
        isSetting = false;
      },
      select(uid) {
        if (annotator.getSelected()[0]?.id === uid) return;
        isSetting = true;
        if (uid) annotator.setSelected(uid, true);
        else annotator.cancelSelected();
        isSetting = false;
      },
      destroy() {
        handles.disconnect();
        annotator.destroy();
      },
    };
  }

  /* One press of a key on a region: its new corners, null to delete it, undefined for no change.
     Arrows move, Shift and arrows resize, Ctrl for ten pixels at once. */
  function pressed(event, region, width, height) {
    if (event.key === "Delete" || event.key === "Backspace") return null;
    const step = event.ctrlKey ? 10 : 1;
    const [dx, dy] = {
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step],
    }[event.key] || [0, 0];
    if (!dx && !dy) return undefined;
    const { uid, x1, y1, x2, y2 } = region;
    if (event.shiftKey) {
      return { uid, x1, y1, x2: clamp(x2 + dx, x1 + LEAST, width), y2: clamp(y2 + dy, y1 + LEAST, height) };
    }
    const [mx, my] = [clamp(dx, -x1, width - x2), clamp(dy, -y1, height - y2)];
    return { uid, x1: x1 + mx, y1: y1 + my, x2: x2 + mx, y2: y2 + my };
  }

  return { attach, pressed };
})();
