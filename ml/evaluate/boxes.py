"""How well found boxes are where the true ones are.

Mean average precision as COCO defines it: 101-point interpolated precision, at IoU 0.5 and averaged
over 0.50, 0.55 … 0.95, mean over the brands that have a true box. Recall at so many false boxes an
image (a point of the free-response ROC curve, Chakraborty 1989) compares networks whose scores do
not mean the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.models.base import Box

IOU_LEVELS = np.linspace(0.5, 0.95, 10)
RECALL_LEVELS = np.linspace(0.0, 1.0, 101)
MOST_BOXES = 100


@dataclass(frozen=True)
class ImageBoxes:
    """One image: true boxes [m, 4] and found boxes [n, 4] as x1 y1 x2 y2 in pixels, with brands
    [m] and [n], and scores [n]."""

    true: np.ndarray
    true_brands: np.ndarray
    found: np.ndarray
    found_brands: np.ndarray
    scores: np.ndarray


def image_boxes(true: Sequence[Mapping[str, Any]], found: Sequence[Box]) -> ImageBoxes:
    """One image, from a manifest's boxes and a model's."""
    return ImageBoxes(
        true=_corners(true),
        true_brands=np.array([box["brand"] for box in true], dtype=object),
        found=_corners([vars(box) for box in found]),
        found_brands=np.array([box.brand for box in found], dtype=object),
        scores=np.array([box.score for box in found], dtype=float),
    )


def mean_average_precision(images: Sequence[ImageBoxes]) -> tuple[float, float]:
    """mAP at IoU 0.5 and mean over IOU_LEVELS. (0.0, 0.0) when there is no true box."""
    brands = sorted({brand for image in images for brand in image.true_brands})
    table = np.array([_average_precisions(images, brand) for brand in brands])
    if not len(table):
        return 0.0, 0.0
    return float(table[:, 0].mean()), float(table.mean())


def score_at_false_boxes(empty: Sequence[ImageBoxes], *, per_image: float) -> float:
    """The lowest score above which at most `per_image` boxes an image are found in images that
    show nothing to be found."""
    scores = np.sort(np.concatenate([image.scores for image in empty]))[::-1]
    allowed = int(per_image * len(empty))
    return float(scores[allowed]) if allowed < len(scores) else 0.0


def box_recall(
    images: Sequence[ImageBoxes], wanted: Sequence[np.ndarray], *, above: float
) -> float | None:
    """Share of the true boxes in `wanted` (for each image bool [m]) that a box of their brand with
    a score above `above` finds at IoU 0.5; None where none is wanted."""
    marks = np.concatenate(list(wanted)) if wanted else np.zeros(0, bool)
    if not marks.any():
        return None
    return float(np.concatenate([_found(image, above) for image in images])[marks].mean())


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU [m, n] of boxes a [m, 4] and b [n, 4]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(axis=1) for x in (a, b))
    union = area_a[:, None] + area_b[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _average_precisions(images: Sequence[ImageBoxes], brand: str) -> np.ndarray:
    """Average precision of one brand at each of IOU_LEVELS."""
    scores, right, truths = [], [], 0
    for image in images:
        true = image.true[image.true_brands == brand]
        mine = image.found_brands == brand
        order = np.argsort(-image.scores[mine], kind="stable")[:MOST_BOXES]
        scores.append(image.scores[mine][order])
        right.append(_taken(intersection_over_union(image.found[mine][order], true)) >= 0)
        truths += len(true)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    matched = np.concatenate(right)[order]
    return np.array([_average_precision(matched[:, i], truths) for i in range(len(IOU_LEVELS))])


def _found(image: ImageBoxes, above: float) -> np.ndarray:
    """bool [m]: the true boxes that are found at IoU 0.5."""
    hit = np.zeros(len(image.true), bool)
    for brand in set(image.true_brands):
        places = np.flatnonzero(image.true_brands == brand)
        mine = (image.found_brands == brand) & (image.scores > above)
        order = np.argsort(-image.scores[mine], kind="stable")
        iou = intersection_over_union(image.found[mine][order], image.true[places])
        taken = _taken(iou)[:, 0]
        hit[places[taken[taken >= 0]]] = True
    return hit


def _taken(iou: np.ndarray) -> np.ndarray:
    """int [n, levels]: the true box that each found box takes, best score first: the free one it
    overlaps most, if by at least the level; −1 where there is none."""
    found, true = iou.shape
    taken = np.full((found, len(IOU_LEVELS)), -1)
    for level, least in enumerate(IOU_LEVELS):
        free = np.ones(true, bool)
        for row in range(found):
            overlap = np.where(free, iou[row], -1.0)
            if true and overlap.max() >= least:
                taken[row, level] = overlap.argmax()
                free[overlap.argmax()] = False
    return taken


def _average_precision(matched: np.ndarray, truths: int) -> float:
    right = np.cumsum(matched)
    recall = right / truths
    precision = right / np.arange(1, len(matched) + 1)
    # Precision at a recall is the best at that recall or any higher one.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALL_LEVELS, side="left")
    return float(np.append(envelope, 0.0)[np.minimum(place, len(envelope))].mean())


def _corners(boxes: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """[n, 4]."""
    rows = [[box[side] for side in ("x1", "y1", "x2", "y2")] for box in boxes]
    return np.array(rows, dtype=float).reshape(-1, 4)
