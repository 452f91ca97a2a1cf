"""Which rows are judged, and in which fold: near-duplicates are never on both sides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ml.errors import InputError
from ml.manifest import Manifest, group_keys
from ml.models.brand_rows import BACKGROUND, KNOWN

UNKNOWN = -1
LEAST_IMAGES = 2  # of a brand, that the classifier trains on


@dataclass(frozen=True)
class Folds:
    """n training rows and how they are split.

    Attributes:
        rows: the rows of `train` and `val` that anybody said something of.
        labels: the brands that can be judged, then the background.
        given: int [n] column of the row's answer in `labels`; UNKNOWN where there is none.
        fold: int [n]; UNKNOWN for rows of brands too rare to be judged: nobody trains on them.
    """

    rows: pa.Table
    labels: list[str]
    given: np.ndarray
    fold: np.ndarray

    @property
    def count(self) -> int:
        return int(self.fold.max()) + 1

    @property
    def judged(self) -> np.ndarray:
        """bool [n]."""
        return (self.given != UNKNOWN) & (self.fold != UNKNOWN)

    def trains(self, fold: int) -> np.ndarray:
        """bool [n]: what the model trains on that judges this fold."""
        return (self.fold != fold) & (self.fold != UNKNOWN)


def training_rows(manifest: Manifest) -> pa.Table:
    """The rows of `train` and `val` with an answer, or with a brand ruled out.

    Raises:
        InputError: there are none.
    """
    table = manifest.rows("train", "val")
    pairs = zip(table["answer"].to_pylist(), table["excluded"].to_pylist(), strict=True)
    rows = table.filter(pa.array([a in KNOWN or bool(ruled) for a, ruled in pairs], pa.bool_()))
    if not len(rows):
        raise InputError(f"{manifest.path}: no answered rows with split train or val")
    return rows


def make_folds(
    rows: pa.Table,
    near: Sequence[tuple[int, int]],
    *,
    count: int,
    brands: Sequence[str] | None,
    seed: int,
) -> Folds:
    """
    Args:
        near: pairs of rows that are near-duplicates, whatever their groups.
        count: at least 2.
        brands: those to judge; all when None.

    Raises:
        InputError: no brand, or no background, has images enough for so many folds.
    """
    answers = zip(rows["answer"].to_pylist(), rows["brand"].to_pylist(), strict=True)
    said = np.array(
        [(b if a == "brand" else BACKGROUND) if a in KNOWN else None for a, b in answers],
        dtype=object,
    )
    classes = np.unique(said.astype(str), return_inverse=True)[1]
    fold = assign(classes, together(group_keys(rows), near), count=count, seed=seed)
    named = sorted(set(said) - {None, BACKGROUND}) if brands is None else sorted(brands)
    trained = np.array(rows["split"].to_pylist()) == "train"
    labels = [name for name in named if _is_everywhere(fold[trained & (said == name)], count)]
    if not labels or not _is_everywhere(fold[trained & (said == BACKGROUND)], count):
        missing = "background row (none or other)" if labels else "brand"
        raise InputError(f"no {missing} has images enough for {count} folds")
    labels.append(BACKGROUND)
    place = {name: i for i, name in enumerate(labels)}
    given = np.array([place.get(name, UNKNOWN) for name in said])
    rare = (given == UNKNOWN) & np.array([name is not None for name in said])
    return Folds(rows, labels, given, np.where(rare, UNKNOWN, fold))


def together(groups: Sequence[str], near: Sequence[tuple[int, int]]) -> np.ndarray:
    """int [n]: one number for all rows that a chain of groups and near-duplicates connects."""
    _, first, own = np.unique(np.array(groups), return_index=True, return_inverse=True)
    pairs = np.concatenate(
        [
            np.stack([np.arange(len(own)), first[own]], axis=1),
            np.array(near, int).reshape(-1, 2),
        ]
    )
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(own), len(own)))
    return np.asarray(connected_components(links, directed=False)[1])


def assign(classes: np.ndarray, groups: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """int [n] fold of each row: whole groups, dealt out class by class, so that of no class one
    fold gets two groups more than another. A group's class is that of its first row."""
    _, first, own = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    order = shuffled[np.argsort(classes[first[shuffled]], kind="stable")]
    fold = np.empty(len(first), int)
    fold[order] = np.arange(len(first)) % count
    return fold[own]


def _is_everywhere(fold: np.ndarray, count: int) -> bool:
    """Whether these rows leave enough to train on, whichever fold is held out."""
    return len(fold) - np.bincount(fold, minlength=count).max() >= LEAST_IMAGES
