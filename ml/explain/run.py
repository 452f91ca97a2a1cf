"""Images and titles with what each model sees in them, written to a folder to be looked through."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image

from ml.artifact import read_artifact
from ml.errors import Cancelled, InputError
from ml.explain.guideline import Guideline
from ml.explain.pictures import Shown, show
from ml.explain.sheet import Cell, Sheets
from ml.explain.titles import TitleReasons, explain_titles
from ml.explain.titles_page import titles_page
from ml.files import new_folder, write_atomically
from ml.images import open_image, read_ahead
from ml.models.base import AnyPredictor, FusionPredictor, Predictor, ShouldStop
from ml.pipeline import BATCH
from ml.predict import load_models, readers
from ml.progress import Progress

REPORT, PAGE = "explain.json", "titles.html"


def explain(
    *,
    models: Sequence[Path],
    images: Sequence[Path],
    titles: Sequence[str],
    label: str | None,
    brands_file: Path | None,
    out: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Write `out`, whole or not at all; its layout is in docs/architecture.md.

    Args:
        label: what to explain, where a model knows it; else each input's best brand or arrangement.
        brands_file: `brands.json` with the guideline's examples, to be laid beside the best box.

    Raises:
        InputError: a model, an image or the brands file cannot be read, what is given is not what
            the models read, no model knows the label, a fusion is given, or `out` is not empty.
        Cancelled: `should_stop` became true; nothing is written.
    """
    predictors = load_models(models)
    _check(predictors, label)
    looking, reading = readers(predictors, images, titles)
    guideline = Guideline(brands_file) if brands_file else None
    report: dict[str, Any] = {"images": [], "titles": []}
    with new_folder(out) as folder:
        sheets = Sheets(folder)
        for path, image, shown in _shown(images, looking, label, guideline, should_stop):
            row = _write(folder, len(report["images"]) + 1, path, image, shown)
            report["images"].append(row)
            sheets.add(
                [_first_cell(path, image), *(c for one in shown.values() for c in one.cells)]
            )
            progress.report("explain images", len(report["images"]) / len(images))
        sheets.close()
        for kind in reading:
            report["titles"] = _titles(models, kind, titles, label, folder)
        report["sheets"] = sheets.files
        write_atomically(folder / REPORT, json.dumps(report, indent=2, ensure_ascii=False))


def _check(predictors: Mapping[str, AnyPredictor], label: str | None) -> None:
    for kind, model in predictors.items():
        if isinstance(model, FusionPredictor):
            raise InputError(f"a {kind} sees no image or title itself: explain the models it joins")
    if label is not None and not any(label in model.labels for model in predictors.values()):
        raise InputError(f"--label: none of these models knows {label!r}")


def _shown(
    paths: Sequence[Path],
    models: Mapping[str, Predictor],
    label: str | None,
    guideline: Guideline | None,
    should_stop: ShouldStop,
) -> Iterator[tuple[Path, Image.Image, dict[str, Shown]]]:
    """Each image with every model's explanation of it, by kind."""
    images = read_ahead(open_image, paths, ahead=2 * BATCH)
    for start in range(0, len(paths), BATCH):
        batch = list(islice(images, BATCH))
        if should_stop():
            images.close()
            raise Cancelled
        found = {kind: show(model, batch, label, guideline) for kind, model in models.items()}
        for i, image in enumerate(batch):
            yield paths[start + i], image, {kind: shown[i] for kind, shown in found.items()}


def _write(
    folder: Path, number: int, path: Path, image: Image.Image, shown: Mapping[str, Shown]
) -> dict[str, Any]:
    """Write an image's pictures and return its part of the report."""
    name = f"{number:03d}-{path.stem}"
    (folder / name).mkdir()
    image.save(folder / name / "original.png")
    row: dict[str, Any] = {
        "image": str(path),
        "width": image.width,
        "height": image.height,
        "original": f"{name}/original.png",
    }
    for kind, one in shown.items():
        (folder / name / kind).mkdir()
        files = {picture: f"{name}/{kind}/{picture}.png" for picture in one.pictures}
        for picture, file in files.items():
            one.pictures[picture].save(folder / file)
        row[kind] = one.said | {"files": files}
    return row


def _first_cell(path: Path, image: Image.Image) -> Cell:
    return Cell.of(image, path.name, f"{image.width} × {image.height}")


def _titles(
    models: Sequence[Path], kind: str, titles: Sequence[str], label: str | None, folder: Path
) -> list[dict[str, Any]]:
    """Write the page of the titles and return their part of the report."""
    (text,) = (one for one in map(read_artifact, models) if one.kind == kind)
    reasons = explain_titles(text, titles, label if label in text.labels else None)
    write_atomically(folder / PAGE, titles_page(titles, reasons))
    return [{"title": title, kind: _said(why)} for title, why in zip(titles, reasons, strict=True)]


def _said(why: TitleReasons) -> dict[str, Any]:
    return asdict(why) | {"characters": [round(float(says), 4) for says in why.characters]}
