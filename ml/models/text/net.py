"""The linear model over a title's n-grams and found names, and its weights as arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from ml.artifact import Artifact
from ml.files import write_atomically
from ml.models.text.features import Features
from ml.models.text.search import WAYS, AliasSearch

WEIGHTS = "weights.safetensors"
# What a found name says before any title was learned from, in logits, by WAYS: a brand without
# training titles is found by its names alone.
PRIOR = (6.0, 4.0, 4.0, 3.0, 0.0)


@dataclass(frozen=True)
class Weights:
    """float32, k labels of which the last is the background.

    Attributes:
        grams: [buckets, k].
        names: [names, k]: what one name says beyond the ways, by which a name that is also an
            ordinary word loses its weight.
        ways: [WAYS], shared by all brands.
        bias: [k].
    """

    grams: np.ndarray
    names: np.ndarray
    ways: np.ndarray
    bias: np.ndarray

    @classmethod
    def fresh(cls, *, buckets: int, names: int, labels: int) -> "Weights":
        return cls(
            np.zeros((buckets, labels), np.float32),
            np.zeros((names, labels), np.float32),
            np.array(PRIOR, np.float32),
            np.zeros(labels, np.float32),
        )

    @classmethod
    def read(cls, artifact: Artifact) -> "Weights":
        return cls(**load_file(artifact.path(WEIGHTS)))

    def save(self, out: Path) -> None:
        """Write the weights in one step."""
        arrays = {name: np.ascontiguousarray(a) for name, a in vars(self).items()}
        write_atomically(out / WEIGHTS, save(arrays))

    def logits(self, features: Features) -> np.ndarray:
        """float32 [n, k]."""
        found = features.grams @ self.grams + features.names @ self.names + self.bias
        table = features.ways.tocoo()
        brand, way = np.divmod(table.col, len(WAYS))
        found[table.row, brand] += self.ways[way]  # one way a brand and title
        return np.asarray(found, np.float32)


def warm(
    weights: Weights,
    search: AliasSearch,
    labels: list[str],
    *,
    earlier: Weights,
    earlier_search: AliasSearch,
    earlier_labels: list[str],
) -> Weights:
    """`weights` with what an earlier model learned of the labels and names both have."""
    shared = [label for label in labels if label in earlier_labels]
    new = [labels.index(label) for label in shared]
    old = [earlier_labels.index(label) for label in shared]
    if weights.grams.shape[0] == earlier.grams.shape[0]:
        weights.grams[:, new] = earlier.grams[:, old]
    place = {
        (earlier_labels[name.brand], name.text, name.heard): i
        for i, name in enumerate(earlier_search.names)
    }
    for i, name in enumerate(search.names):
        before = place.get((labels[name.brand], name.text, name.heard))
        if before is not None:
            weights.names[i, new] = earlier.names[before, old]
    weights.bias[new] = earlier.bias[old]
    return Weights(weights.grams, weights.names, earlier.ways.copy(), weights.bias)
