"""The report of one model: what it reaches on the closed, open and business rows."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ml.errors import InputError
from ml.evaluate.boxes import ImageBoxes, mean_average_precision
from ml.evaluate.recall import common_threshold, flagged, hits, mean_recall, recall_by_brand
from ml.models.base import Box, Predictions

COMMON = "*"
UNFITTED = 0.5


@dataclass(frozen=True)
class Scored:
    """Rows of a manifest and a model's predictions of them, in the same order.

    Attributes:
        scores: [n, k], by `names`: brands, or the one score of being a variation.
        boxes: for each row the found boxes; None for a model without.
    """

    rows: pa.Table
    names: list[str]
    scores: np.ndarray
    boxes: list[list[Box]] | None = None

    def of(self, mask: np.ndarray) -> "Scored":
        boxes = None
        if self.boxes is not None:
            boxes = [self.boxes[i] for i in np.flatnonzero(mask)]
        return Scored(self.rows.filter(pa.array(mask)), self.names, self.scores[mask], boxes)

    def column(self, name: str) -> np.ndarray:
        return np.array(self.rows[name].to_pylist(), dtype=object)


def scored(
    kind: str, labels: Sequence[str], rows: pa.Table, batches: Sequence[Predictions]
) -> Scored:
    """Bring a model's predictions to scores: probabilities of the brands, the best box of each
    brand, or 1 − the probability of no variation."""
    if kind == "detector":
        boxes = [found for batch in batches for found in batch.boxes or ()]
        return Scored(rows, list(labels), best_box_scores(boxes, labels), boxes)
    parts = [batch.probabilities for batch in batches if batch.probabilities is not None]
    probabilities = np.concatenate(parts) if parts else np.zeros((0, len(labels)), np.float32)
    if kind == "variation":
        return Scored(rows, ["variation"], 1 - probabilities[:, [list(labels).index("none")]])
    return Scored(rows, list(labels[:-1]), probabilities[:, :-1])


def best_box_scores(boxes: Sequence[Sequence[Box]], brands: Sequence[str]) -> np.ndarray:
    """[n, k]: each brand's highest box score in each image; 0 where there is none."""
    scores = np.zeros((len(boxes), len(brands)), np.float32)
    place = {brand: i for i, brand in enumerate(brands)}
    for row, found in enumerate(boxes):
        for box in found:
            scores[row, place[box.brand]] = max(scores[row, place[box.brand]], box.score)
    return scores


def _is_variation(data: Scored) -> np.ndarray:
    return np.isin(data.column("variation").astype(str), ["collage", "stack"])


def build_report(kind: str, data: Scored, *, flag_ratio: float | None) -> dict[str, Any]:
    """The report of docs/architecture.md, without `seconds`.

    Open rows known to be a variation are left out of the variation model's flag ratio: it measures
    false alarms, and variations are too frequent online to spend its budget on.

    Raises:
        InputError: thresholds are to be fitted, but one half of the open rows is empty.
    """
    split = data.column("split")
    opened = data.of(split == "open")
    if kind == "variation":
        opened = opened.of(~_is_variation(opened))
    thresholds = {COMMON: UNFITTED}
    if flag_ratio is not None:
        fitting = fitting_half(opened.rows)
        if fitting.all() or not fitting.any():
            raise InputError(f"too few open rows ({len(fitting)}) to fit a threshold on half")
        thresholds = {COMMON: common_threshold(opened.scores[fitting], flag_ratio)}
        opened = opened.of(~fitting)
    limits = threshold_vector(thresholds, data.names)
    report: dict[str, Any] = {"kind": kind, "thresholds": thresholds}
    if len(opened.rows):
        report["open"] = {
            "flag_ratio": float(flagged(opened.scores, limits).mean()),
            "threshold": thresholds[COMMON],
            "n": len(opened.rows),
        }
    if kind == "variation":
        return report | _variations(data.of(split == "closed"), limits)
    return (
        report
        | _closed(data.of(split == "closed"), limits)
        | _business(data.of(split == "business"), limits)
        | _average_precision(data.of(split == "closed"))
    )


def fitting_half(rows: pa.Table) -> np.ndarray:
    """bool [n]: the half that thresholds are fitted on, by hash of the group, so that no
    near-duplicate of a fitted row is measured."""
    columns = (rows[name].to_pylist() for name in ("group", "sha256", "image"))
    keys = [group or sha256 or image for group, sha256, image in zip(*columns, strict=True)]
    return np.array([hashlib.sha256(f"open:{k}".encode()).digest()[0] % 2 == 0 for k in keys], bool)


def threshold_vector(thresholds: dict[str, float], names: Sequence[str]) -> np.ndarray:
    """[k]: each brand's own threshold, or the common one."""
    return np.array([thresholds.get(name, thresholds.get(COMMON, UNFITTED)) for name in names])


def _hits(data: Scored, limits: np.ndarray) -> np.ndarray:
    place = {name: i for i, name in enumerate(data.names)}
    brands = np.array([place.get(brand, -1) for brand in data.column("brand")], dtype=int)
    return hits(data.scores, brands, limits)


def _closed(data: Scored, limits: np.ndarray) -> dict[str, Any]:
    data = data.of(data.column("answer") == "brand")
    if not len(data.rows):
        return {}
    by_brand = recall_by_brand(_hits(data, limits), data.column("brand"))
    return {"closed": {"mean_recall": mean_recall(by_brand), "per_brand": by_brand}}


def _business(data: Scored, limits: np.ndarray) -> dict[str, Any]:
    data = data.of(data.column("answer") == "brand")
    hit, logo = _hits(data, limits), data.column("has_logo")
    figures = {
        name: float(hit[logo == value].mean())
        for name, value in (("recall_logo", True), ("recall_no_logo", False))
        if (logo == value).any()
    }
    return {"business": figures} if figures else {}


def _variations(data: Scored, limits: np.ndarray) -> dict[str, Any]:
    """Recall of collages and stacks: a hit is flagged, as whichever of the two."""
    data = data.of(_is_variation(data))
    if not len(data.rows):
        return {}
    by_class = recall_by_brand(flagged(data.scores, limits), data.column("variation"))
    return {"closed": {"mean_recall": mean_recall(by_class), "per_class": by_class}}


def _average_precision(data: Scored) -> dict[str, Any]:
    if data.boxes is None:
        return {}
    known = data.of(np.array([boxes is not None for boxes in data.rows["boxes"].to_pylist()], bool))
    truths = known.rows["boxes"].to_pylist()
    if not any(truths):
        return {}
    map50, map50_95 = mean_average_precision(
        [_boxes(true, found) for true, found in zip(truths, known.boxes or [], strict=True)]
    )
    return {"map50": map50, "map50_95": map50_95}


def _boxes(true: Sequence[dict[str, Any]], found: Sequence[Box]) -> ImageBoxes:
    def corners(boxes: Sequence[dict[str, Any]]) -> np.ndarray:
        rows = [[box[side] for side in ("x1", "y1", "x2", "y2")] for box in boxes]
        return np.array(rows, dtype=float).reshape(-1, 4)

    return ImageBoxes(
        true=corners(true),
        true_brands=np.array([box["brand"] for box in true], dtype=object),
        found=corners([vars(box) for box in found]),
        found_brands=np.array([box.brand for box in found], dtype=object),
        scores=np.array([box.score for box in found], dtype=float),
    )
