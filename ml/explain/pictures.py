"""What a model looks at in images, as pictures with what there is to say about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from ml.explain.boxes import crop, draw_boxes
from ml.explain.guideline import Guideline
from ml.explain.heat import find_heat
from ml.explain.overlay import colour, overlay
from ml.explain.sheet import Cell
from ml.models.base import Box, Predictor
from ml.models.net_predictor import NetPredictor


@dataclass
class Shown:
    """One model's explanation of one image.

    Attributes:
        said: for `explain.json`.
        pictures: by name, without ending.
        cells: for the contact sheet.
    """

    said: dict[str, Any]
    pictures: dict[str, Image.Image] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)


def show(
    model: Predictor, images: Sequence[Image.Image], label: str | None, guideline: Guideline | None
) -> list[Shown]:
    """A batch of images as the model sees them.

    Args:
        label: what to explain, where the model knows it; else each image's best.
        guideline: to lay beside what a detector found.
    """
    label = label if label in model.labels else None
    if isinstance(model, NetPredictor):
        return _heat(model, images, label)
    found = model.predict(images).found_boxes
    return [
        _boxes(model.kind, image, [b for b in boxes if label in (None, b.brand)], guideline)
        for image, boxes in zip(images, found, strict=True)
    ]


def _heat(model: NetPredictor, images: Sequence[Image.Image], label: str | None) -> list[Shown]:
    shown = []
    for image, found in zip(images, find_heat(model, images, label), strict=True):
        pictures = {"heat": colour(found.map), "overlay": overlay(image, found.map)}
        cells = [
            Cell.of(pictures["heat"], f"{model.kind}: heat"),
            Cell.of(pictures["overlay"], f"{found.label} {found.score:.2f}", model.kind),
        ]
        shown.append(Shown({"label": found.label, "score": found.score}, pictures, cells))
    return shown


def _boxes(
    kind: str, image: Image.Image, boxes: Sequence[Box], guideline: Guideline | None
) -> Shown:
    shown = Shown({"boxes": [vars(box) for box in boxes]}, {"boxes": draw_boxes(image, boxes)})
    shown.cells.append(Cell.of(shown.pictures["boxes"], f"{kind}: boxes", f"{len(boxes)} found"))
    if not boxes:
        return shown
    best = boxes[0]
    shown.pictures["crop"] = crop(image, best)
    shown.cells.append(
        Cell.of(shown.pictures["crop"], f"{best.brand} {best.score:.2f}", "best box")
    )
    for number, one in enumerate(guideline.references(best.brand) if guideline else (), 1):
        shown.pictures[f"reference-{number}"] = one.crop
        shown.cells.append(Cell.of(one.crop, f"guideline: {one.kind}", one.text))
    return shown
