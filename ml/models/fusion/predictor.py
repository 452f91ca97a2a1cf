"""Prediction by fusion."""

from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from ml.artifact import Artifact
from ml.files import write_atomically
from ml.models.base import Predictions
from ml.models.fusion.cascade import margins
from ml.models.fusion.choice import Weights, probabilities
from ml.models.fusion.scores import BRAND_MODELS, Parts, align

WEIGHTS = "weights.safetensors"


class Fusion:
    """What the models together say; of each row, by the weights of the models that have a say."""

    def __init__(self, artifact: Artifact) -> None:
        self.kind, self.labels = artifact.kind, artifact.labels
        self.models: dict[str, str] = artifact.calibration["models"]
        self.thresholds: dict[str, float] = artifact.calibration["thresholds"]
        self.cascade_floor: float | None = artifact.calibration.get("cascade_floor")
        names: dict[str, list[str]] = artifact.calibration["features"]
        self._weights = {
            key: Weights(names[key], values[:-1], float(values[-1]))
            for key, values in load_file(artifact.path(WEIGHTS)).items()
        }

    def fuse(
        self,
        predictions: Mapping[str, Predictions],
        labels: Mapping[str, Sequence[str]],
        titled: np.ndarray,
    ) -> Predictions:
        """See `ml.models.base.FusionPredictor`."""
        parts = align(predictions, labels, brands=self.labels[:-1], titled=titled)
        return Predictions(self.probabilities(parts).astype(np.float32))

    def undecided(
        self,
        predictions: Mapping[str, Predictions],
        labels: Mapping[str, Sequence[str]],
        titled: np.ndarray,
    ) -> np.ndarray:
        """See `ml.models.base.FusionPredictor`."""
        others = {kind: found for kind, found in predictions.items() if kind != "detector"}
        parts = align(others, labels, brands=self.labels[:-1], titled=titled)
        limits = np.array([self.thresholds[brand] for brand in self.labels[:-1]])
        return margins(self.probabilities(parts)[:, :-1], limits) >= (self.cascade_floor or 0.0)

    def probabilities(self, parts: Parts) -> np.ndarray:
        """float64 [n, k + 1]. A row that no model says anything of shows none, for all we know."""
        result = np.zeros((len(parts), len(self.labels)))
        result[:, -1] = 1.0
        for speakers, rows in by_speakers(parts).items():
            if (key := self._known_among(speakers)) is not None:
                own = parts.take(rows).only(key.split("+"))
                result[rows] = probabilities(own, self._weights[key])
        return result

    def _known_among(self, speakers: str) -> str | None:
        """The weights of the most of these models; there may be none of all together."""
        present = set(speakers.split("+"))
        known = [key for key in self._weights if present.issuperset(key.split("+"))]
        return max(known, key=lambda key: key.count("+"), default=None)


def write_weights(path: Path, weights: Mapping[str, Weights]) -> None:
    write_atomically(
        path, save({key: np.append(w.values, w.intercept) for key, w in weights.items()})
    )


def combinations_of(kinds: Sequence[str]) -> list[list[str]]:
    """Every set of models that can come to a brand together, the models' own order kept."""
    speakers = [kind for kind in (*BRAND_MODELS, "variation") if kind in kinds]
    chosen = chain.from_iterable(combinations(speakers, n) for n in range(1, len(speakers) + 1))
    return [list(some) for some in chosen if some != ("variation",)]


def by_speakers(parts: Parts) -> dict[str, np.ndarray]:
    """The rows of each set of models that say something of them, by their names joined by "+"."""
    speaks = {kind: ~np.isnan(parts.of[kind][:, :1]).any(axis=1) for kind in parts.of}
    speaks["variation"] = ~np.isnan(parts.arranged)
    keys = np.full(len(parts), "", dtype=object)
    for kind in (*BRAND_MODELS, "variation"):
        if kind in speaks:
            keys[speaks[kind]] += f"+{kind}"
    return {key[1:]: np.flatnonzero(keys == key) for key in np.unique(keys.astype(str)) if key}
