"""A model's scores of the rows of a manifest, whatever kind of model it is."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ml.manifest import group_keys
from ml.models.base import Box, Predictions
from ml.models.box_scores import best_box_scores


@dataclass(frozen=True)
class Scored:
    """Rows of a manifest and a model's predictions of them, in the same order.

    Attributes:
        scores: [n, k], by `names`: brands, or the one score of being a variation.
        boxes: for each row the found boxes; None for a model without.
        box_share: [n] area of the row's largest true box as a share of the image; NaN where there
            is none, or none is known.
        look: the score is that of a variation that shows a brand (see `ml.models.looks`).
    """

    rows: pa.Table
    names: list[str]
    scores: np.ndarray
    boxes: list[list[Box]] | None = None
    box_share: np.ndarray | None = None
    look: bool = False

    def of(self, mask: np.ndarray) -> "Scored":
        boxes = None
        if self.boxes is not None:
            boxes = [self.boxes[i] for i in np.flatnonzero(mask)]
        share = None if self.box_share is None else self.box_share[mask]
        return replace(
            self,
            rows=self.rows.filter(pa.array(mask)),
            scores=self.scores[mask],
            boxes=boxes,
            box_share=share,
        )

    def column(self, name: str) -> np.ndarray:
        values = np.empty(len(self.rows), dtype=object)
        values[:] = self.rows[name].to_pylist()
        return values

    @property
    def is_variation(self) -> np.ndarray:
        """bool [n]: known to be what the variation model is to find."""
        arranged = np.isin(self.column("variation").astype(str), ["collage", "stack"])
        return arranged & (self.column("answer") == "brand") if self.look else arranged

    @property
    def is_variation_known(self) -> np.ndarray:
        """bool [n]: whether it is what the variation model is to find, or not, is known."""
        told = self.column("variation") != None  # noqa: E711 — an object array
        answered = np.isin(self.column("answer").astype(str), ["brand", "none", "other"])
        return told & answered if self.look else told


def scored(
    kind: str,
    labels: Sequence[str],
    rows: pa.Table,
    batches: Sequence[Predictions],
    box_share: np.ndarray | None = None,
    *,
    look: bool = False,
) -> Scored:
    """Bring a model's predictions to scores: probabilities of the brands, the best box of each
    brand, or 1 − the probability of no variation.

    Args:
        look: of a variation model: a variation is one that shows a brand.
    """
    if kind == "detector":
        boxes = [found for batch in batches for found in batch.found_boxes]
        scores = best_box_scores(boxes, labels)
        return Scored(rows, list(labels), scores, boxes, box_share)
    parts = [batch.probabilities for batch in batches if batch.probabilities is not None]
    probabilities = np.concatenate(parts) if parts else np.zeros((0, len(labels)), np.float32)
    if kind == "variation":
        arranged = 1 - probabilities[:, [list(labels).index("none")]]
        return Scored(rows, ["variation"], arranged, box_share=box_share, look=look)
    return Scored(rows, list(labels[:-1]), probabilities[:, :-1], box_share=box_share)


def fitting_half(rows: pa.Table) -> np.ndarray:
    """bool [n]: the half that thresholds are fitted on, by hash of the group, so that no
    near-duplicate of a fitted row is measured."""
    keys = group_keys(rows)
    return np.array([hashlib.sha256(f"open:{k}".encode()).digest()[0] % 2 == 0 for k in keys], bool)
