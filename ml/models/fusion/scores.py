"""What the other models say about the same rows, brought to one shape."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.models.base import Predictions
from ml.models.box_scores import best_box_scores

BRAND_MODELS = ("classifier", "detector", "text")


@dataclass(frozen=True)
class Parts:
    """Scores of n rows, in their order.

    Attributes:
        brands: k keys.
        of: by kind of `BRAND_MODELS`, float64 [n, k], each brand's probability or best box score;
            NaN throughout a row that the model had nothing to look at in, or did not look at.
        arranged: [n] probability of a collage or stack; NaN where it is not known.
    """

    brands: list[str]
    of: dict[str, np.ndarray]
    arranged: np.ndarray

    def __len__(self) -> int:
        return len(self.arranged)

    def take(self, rows: np.ndarray) -> "Parts":
        of = {kind: scores[rows] for kind, scores in self.of.items()}
        return replace(self, of=of, arranged=self.arranged[rows])

    def only(self, kinds: Sequence[str]) -> "Parts":
        """As if there were no other models."""
        of = {kind: scores for kind, scores in self.of.items() if kind in kinds}
        arranged = self.arranged if "variation" in kinds else np.full(len(self), np.nan)
        return replace(self, of=of, arranged=arranged)


def align(
    predictions: Mapping[str, Predictions],
    labels: Mapping[str, Sequence[str]],
    *,
    brands: Sequence[str],
    titled: np.ndarray,
) -> Parts:
    """
    Args:
        predictions: of one batch, by kind; kinds that say nothing of brands are left out.
        labels: of each model; a brand of `brands` that a model does not know scores 0 there.
        titled: bool [n]: the row has a title.
    """
    of = {}
    for kind in BRAND_MODELS:
        if kind in predictions:
            of[kind] = _by_brand(predictions[kind], list(labels[kind]), brands)
    if "text" in of:
        of["text"][~titled] = np.nan
    arranged = np.full(len(titled), np.nan)
    if "variation" in predictions:
        probabilities = predictions["variation"].probabilities
        assert probabilities is not None  # noqa: S101 — it always gives them
        arranged = 1.0 - probabilities[:, list(labels["variation"]).index("none")].astype(float)
    return Parts(list(brands), of, arranged)


def _by_brand(found: Predictions, labels: list[str], brands: Sequence[str]) -> np.ndarray:
    if found.boxes is not None:  # NaN in rows that a cascade left out
        return best_box_scores(found.boxes, brands).astype(float)
    assert found.probabilities is not None  # noqa: S101 — a brand model gives one or the other
    scores = np.zeros((len(found.probabilities), len(brands)))
    places = [(i, labels.index(brand)) for i, brand in enumerate(brands) if brand in labels]
    if places:
        ours, theirs = (list(column) for column in zip(*places, strict=True))
        scores[:, ours] = found.probabilities[:, theirs]
    return scores


def noisy_or(parts: Parts) -> np.ndarray:
    """float64 [n, k]: 1 − Π(1 − score): right where the models are calibrated and independent
    (Pearl 1988), which they are not. What there is nothing of counts as 0."""
    missed = np.ones((len(parts), len(parts.brands)))
    for scores in parts.of.values():
        missed *= 1 - np.nan_to_num(scores, nan=0.0)
    return 1 - missed
