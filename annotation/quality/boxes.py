"""From several people's boxes of one picture to one set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from ml.evaluate.boxes import intersection_over_union

SAME = 0.5  # IoU from which on two boxes mean the same mark
SIDES = ("x1", "y1", "x2", "y2")

Box = Mapping[str, float | str]


@dataclass(frozen=True)
class Seen:
    """One person's boxes, `{x1, y1, x2, y2, brand}` in pixels, and how much they count."""

    annotator: str
    boxes: Sequence[Box]
    weight: float = 1.0


@dataclass(frozen=True)
class Merged:
    """`boxes`, each with `support`, the share of the weight behind it; `disagreement` in [0, 1]:
    1 - mean IoU over all pairs of people, a box that one of them missed counting 0."""

    boxes: list[dict]
    disagreement: float


def merge(*, seen: Sequence[Seen]) -> Merged:
    """Match people's boxes, average what coincides and keep what more than half of the weight saw.
    Of a person alone, and of nobody, there is no disagreement."""
    total = sum(person.weight for person in seen)
    found: list[list[tuple[float, Box]]] = []
    for person in sorted(seen, key=lambda one: (-one.weight, one.annotator)):
        means = [_mean(members) for members in found]
        pairs, _overlaps = match(means, person.boxes)
        mine = {column: row for row, column in pairs}
        for at, box in enumerate(person.boxes):
            if at in mine:
                found[mine[at]].append((person.weight, box))
            else:
                found.append([(person.weight, box)])
    boxes = []
    for members in found:
        support = sum(weight for weight, _box in members) / total
        if support > 0.5:
            boxes.append({**_mean(members), "support": support})
    return Merged(boxes, disagreement(seen=seen))


def disagreement(*, seen: Sequence[Seen]) -> float:
    """1 - mean IoU of all pairs of people."""
    agreements = [_agreement(a.boxes, b.boxes) for a, b in combinations(seen, 2)]
    return 1.0 - float(np.mean(agreements)) if agreements else 0.0


def match(ours: Sequence[Box], theirs: Sequence[Box]) -> tuple[list[tuple[int, int]], list[float]]:
    """The pairs (place in `ours`, place in `theirs`) of the same brand that overlap by SAME
    or more, chosen so that the overlaps sum to the most (Hungarian method), and their IoUs."""
    if not ours or not theirs:
        return [], []
    overlaps = intersection_over_union(_corners(ours), _corners(theirs))
    brands = [[a.get("brand") == b.get("brand") for b in theirs] for a in ours]
    overlaps = np.where(np.array(brands) & (overlaps >= SAME), overlaps, 0.0)
    pairs = [
        (int(row), int(column))
        for row, column in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True)
        if overlaps[row, column] > 0
    ]
    return pairs, [float(overlaps[pair]) for pair in pairs]


def _agreement(ours: Sequence[Box], theirs: Sequence[Box]) -> float:
    if not ours and not theirs:
        return 1.0
    pairs, overlaps = match(ours, theirs)
    return sum(overlaps) / (len(ours) + len(theirs) - len(pairs))


def _mean(members: Sequence[tuple[float, Box]]) -> dict:
    weights = [weight for weight, _box in members]
    corners = np.average(_corners([box for _weight, box in members]), axis=0, weights=weights)
    sides = dict(zip(SIDES, map(float, corners), strict=True))
    return {**sides, "brand": members[0][1].get("brand")}


def _corners(boxes: Sequence[Box]) -> np.ndarray:
    return np.array([[float(box[side]) for side in SIDES] for box in boxes])
