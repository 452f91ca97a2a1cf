// One region on the picture of a new case, kept in step with the four number fields.
(() => {
  const picture = document.getElementById("picture");
  const fields = ["x1", "y1", "x2", "y2"].map((name) => document.getElementById(`id_${name}`));
  if (!picture || fields.some((field) => !field) || !window.Annotorious) return;
  const annotator = Annotorious.createImageAnnotator(picture, { drawingEnabled: true });

  const round = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
  // Its own `bounds` lag behind while a region is dragged.
  const write = ({ target }) => {
    const { x, y, w, h } = target.selector.geometry;
    const { naturalWidth: width, naturalHeight: height } = picture;
    const corners = [round(x, width), round(y, height), round(x + w, width), round(y + h, height)];
    fields.forEach((field, i) => { field.value = corners[i]; });
  };
  const read = () => {
    if (fields.some((field) => field.value === "")) { annotator.clearAnnotations(); return; }
    const [minX, minY, maxX, maxY] = fields.map((field) => Number(field.value));
    if (!(minX < maxX && minY < maxY)) return;
    const geometry = { x: minX, y: minY, w: maxX - minX, h: maxY - minY, rot: 0, bounds: { minX, minY, maxX, maxY } };
    const target = { annotation: "region", selector: { type: "RECTANGLE", geometry } };
    annotator.setAnnotations([{ id: "region", bodies: [], target }], true);
  };

  annotator.on("createAnnotation", (made) => {
    write(made);
    // One region only, the last one drawn; Annotorious has to finish with this one first.
    setTimeout(() => {
      annotator.cancelSelected();
      setTimeout(read);
    });
  });
  annotator.on("updateAnnotation", write);
  fields.forEach((field) => field.addEventListener("change", read));
  document.getElementById("no-region").addEventListener("click", () => {
    fields.forEach((field) => { field.value = ""; });
    annotator.clearAnnotations();
  });
  if (picture.complete) read(); else picture.addEventListener("load", read);
})();
