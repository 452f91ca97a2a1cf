"""Training rows in memory, and which of them an epoch shows."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Rows of `val` that calibrate alone. A temperature fitted on the first answer of a round says only
# that the model was right once, and makes it sure of everything.
ENOUGH_TO_CALIBRATE = 50


@dataclass(frozen=True)
class Samples:
    """n rows.

    Attributes:
        images: uint8 [n, s, s, 3].
        targets: float32 [n, k], rows sum to 1, or to 0 where only `excluded` is known.
        excluded: bool [n, k], classes ruled out.
    """

    images: np.ndarray
    targets: np.ndarray
    excluded: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> "Samples":
        return Samples(self.images[rows], self.targets[rows], self.excluded[rows])


def held_out(groups: Sequence[str], share: float) -> np.ndarray:
    """Bool mask: about `share` of the groups, by hash, so that a group stays on one side."""
    limit = share * 2**32
    return np.array(
        [int(hashlib.sha256(f"holdout:{g}".encode()).hexdigest()[:8], 16) < limit for g in groups],
        dtype=bool,
    )


def balanced_epoch(classes: np.ndarray, balance: float, rng: np.random.Generator) -> np.ndarray:
    """Row numbers of one epoch, shuffled, as many as there are rows.

    Args:
        classes: [n] class of each row.
        balance: 0 shows each row once; 1 shows each class equally often.

    A class of m rows gets a quota ∝ m^(1 − balance). Its rows are repeated whole times, and the
    remainder is drawn without replacement, so that no row is shown twice more than another.
    """
    names, counts = np.unique(classes, return_counts=True)
    weight = counts ** (1.0 - balance)
    quota = np.maximum(1, np.round(weight / weight.sum() * len(classes))).astype(int)
    chosen = []
    for name, count, wanted in zip(names, counts, quota, strict=True):
        rows = np.flatnonzero(classes == name)
        whole, rest = divmod(int(wanted), int(count))
        chosen += [np.tile(rows, whole), rng.choice(rows, rest, replace=False)]
    return rng.permutation(np.concatenate(chosen))
