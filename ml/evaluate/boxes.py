"""Mean average precision of boxes, as COCO defines it: 101-point interpolated precision, at IoU
0.5 and averaged over 0.50, 0.55 … 0.95, mean over the brands that have a true box."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def mean_average_precision(images: Sequence[ImageBoxes]) -> tuple[float, float]:
    """mAP at IoU 0.5 and mean over IOU_LEVELS. (0.0, 0.0) when there is no true box."""
    brands = sorted({brand for image in images for brand in image.true_brands})
    table = np.array([_average_precisions(images, brand) for brand in brands])
    if not len(table):
        return 0.0, 0.0
    return float(table[:, 0].mean()), float(table.mean())


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
        right.append(_matches(intersection_over_union(image.found[mine][order], true)))
        truths += len(true)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    matched = np.concatenate(right)[order]
    return np.array([_average_precision(matched[:, i], truths) for i in range(len(IOU_LEVELS))])


def _matches(iou: np.ndarray) -> np.ndarray:
    """bool [n, levels]: each found box, best score first, takes the free true box it overlaps
    most, if by at least the level."""
    found, true = iou.shape
    matched = np.zeros((found, len(IOU_LEVELS)), bool)
    for level, least in enumerate(IOU_LEVELS):
        free = np.ones(true, bool)
        for row in range(found):
            overlap = np.where(free, iou[row], -1.0)
            if true and overlap.max() >= least:
                free[overlap.argmax()] = False
                matched[row, level] = True
    return matched


def _average_precision(matched: np.ndarray, truths: int) -> float:
    right = np.cumsum(matched)
    recall = right / truths
    precision = right / np.arange(1, len(matched) + 1)
    # Precision at a recall is the best at that recall or any higher one.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALL_LEVELS, side="left")
    return float(np.append(envelope, 0.0)[np.minimum(place, len(envelope))].mean())
