"""How a batch of items becomes predictions, from files to fused scores, on one thread.

Batches are independent: `ml.predict.score` gives one to each core, so that no core waits for
another, neither for decoded images nor inside a network (docs/benchmarks.md, "Scan speed").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.errors import InputError
from ml.images import Letterboxed, read_letterboxed
from ml.models.base import (
    AnyPredictor,
    FusionPredictor,
    Predictions,
    Predictor,
    TitlePredictor,
)

BATCH = 16
TITLES = 1024  # a batch where no image is opened
CASCADED = "detector"


@dataclass(frozen=True)
class Inputs:
    """What is asked about, row by row. Only the list that some model reads is filled."""

    paths: Sequence[Path] = ()
    titles: Sequence[str] = ()

    def __len__(self) -> int:
        return max(len(self.paths), len(self.titles))

    @property
    def batch(self) -> int:
        """How many are scored at once."""
        return BATCH if self.paths else TITLES

    @property
    def titled(self) -> np.ndarray:
        """bool [n]: the item has a title."""
        return np.array([bool(title) for title in self.titles] or [False] * len(self), bool)

    def slice(self, start: int, end: int) -> "Inputs":
        return Inputs(self.paths[start:end], self.titles[start:end])


class Pipeline:
    """Models, in the order in which they can be asked."""

    def __init__(self, predictors: Mapping[str, AnyPredictor], *, cascade: bool = False) -> None:
        """
        Args:
            cascade: the detector looks only where the fusion is undecided without it.

        Raises:
            InputError: a cascade of models that make none.
        """
        self._predictors = predictors
        self._labels = {kind: model.labels for kind, model in predictors.items()}
        self._cascade = cascade
        if cascade:
            _check_cascade(predictors)

    def run(self, inputs: Inputs) -> dict[str, Predictions]:
        """Every model's predictions of one batch, by kind, in the models' order.

        Raises:
            InputError: an image cannot be read; the message names it.
        """
        later = {CASCADED} if self._cascade else set()
        looking = {k: m for k, m in self._predictors.items() if isinstance(m, Predictor)}
        seen = _look([m for k, m in looking.items() if k not in later], inputs.paths)
        found: dict[str, Predictions] = {}
        for kind, model in self._predictors.items():
            if isinstance(model, TitlePredictor):
                found[kind] = model.predict_titles(inputs.titles)
            elif isinstance(model, Predictor) and kind not in later:
                found[kind] = model.predict_squares(seen.squares[model.side], seen.sizes)
        for kind in later:
            found[kind] = self._detect(looking[kind], found, inputs)
        for kind, model in self._predictors.items():
            if isinstance(model, FusionPredictor):
                found[kind] = model.fuse(found, self._labels, inputs.titled)
        return {kind: found[kind] for kind in self._predictors}

    def _detect(
        self, detector: Predictor, found: Mapping[str, Predictions], inputs: Inputs
    ) -> Predictions:
        """Boxes of the images that they could change something for; None for the others."""
        fusion = self._predictors["fusion"]
        assert isinstance(fusion, FusionPredictor)  # noqa: S101 — the kind says so
        rows = np.flatnonzero(fusion.undecided(found, self._labels, inputs.titled)).tolist()
        boxes: list = [None] * len(inputs)
        if len(rows):
            seen = _look([detector], [inputs.paths[row] for row in rows])
            looked = detector.predict_squares(seen.squares[detector.side], seen.sizes).boxes
            for row, found_boxes in zip(rows, looked or (), strict=True):
                boxes[row] = found_boxes
        return Predictions(boxes=boxes)


def _check_cascade(predictors: Mapping[str, AnyPredictor]) -> None:
    if not {CASCADED, "fusion"} < set(predictors):
        raise InputError("a cascade needs a detector, a fusion, and a model to ask before these")
    fusion = predictors["fusion"]
    if not isinstance(fusion, FusionPredictor) or fusion.cascade_floor is None:
        raise InputError("this fusion knows no limit for a cascade: train it anew with a detector")


def _look(models: Sequence[Predictor], paths: Sequence[Path]) -> Letterboxed:
    """The images at the sides that these models want."""
    sides = {model.side for model in models}
    return read_letterboxed(paths, sides) if sides else Letterboxed([], {})
