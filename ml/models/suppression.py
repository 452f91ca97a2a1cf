"""From a detecting network's output to boxes: what is likely enough, one box an object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.evaluate.boxes import intersection_over_union
from ml.images import Placement
from ml.models.base import Box

# Suppression is quadratic in the worst case: only the best are given to it.
CANDIDATES = 1000


@dataclass(frozen=True)
class Keep:
    """What is kept: boxes that score above `score_floor`, of those of one brand that overlap by
    more than `nms_iou` the best, and of all of these the `max_boxes` best."""

    score_floor: float
    nms_iou: float
    max_boxes: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Keep":
        """From a detector's configuration."""
        return cls(config["score_floor"], config["nms_iou"], config["max_boxes"])


@dataclass(frozen=True)
class Found:
    """Boxes of one image, best first: boxes [m, 4] as x1 y1 x2 y2 in pixels of the square,
    classes [m], scores [m]."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


def suppress(output: np.ndarray, keep: Keep) -> Found:
    """Non-maximum suppression within a brand.

    Ultralytics' own stops after a time limit and then loses boxes, which would make scans depend
    on the load of the machine.

    Args:
        output: of one image, float32 [4 + classes, anchors]: centre, width and height in pixels of
            the square, and the classes' scores.
    """
    scores = output[4:].max(axis=0)
    likely = np.flatnonzero(scores > keep.score_floor)
    best = likely[np.argsort(-scores[likely], kind="stable")[:CANDIDATES]]
    centre, half = output[:2, best], output[2:4, best] / 2
    boxes = np.concatenate([centre - half, centre + half]).T
    classes = output[4:, best].argmax(axis=0)
    kept = _greedy(boxes, classes, keep.nms_iou)[: keep.max_boxes]
    return Found(boxes[kept], classes[kept], scores[best][kept])


def _greedy(boxes: np.ndarray, classes: np.ndarray, most: float) -> np.ndarray:
    """The places of the boxes, best first, that no better one of their class overlaps by more."""
    overlaps = intersection_over_union(boxes, boxes) > most
    overlaps &= classes[:, None] == classes[None]
    alive = np.ones(len(boxes), bool)
    for place in range(len(boxes)):
        if alive[place]:
            alive[place + 1 :] &= ~overlaps[place, place + 1 :]
    return np.flatnonzero(alive)


def image_boxes(found: Found, size: tuple[int, int], side: int, labels: Sequence[str]) -> list[Box]:
    """In pixels of an image of `size` (width, height), inside it."""
    corners = Placement.of(*size, side).out_of(found.boxes).clip(0, [*size] * 2)
    return [
        Box(x1, y1, x2, y2, labels[k], float(score))
        for (x1, y1, x2, y2), k, score in zip(
            corners.tolist(), found.classes, found.scores, strict=True
        )
    ]
