"""Which boxed rows train and validate the detector, and in which order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import InputError
from ml.manifest import Manifest, group_keys
from ml.models.samples import held_out


@dataclass(frozen=True)
class BoxedRows:
    """`train` and `validation` have the manifest's columns; every row was looked at for boxes."""

    train: pa.Table
    validation: pa.Table
    labels: list[str]


def choose_boxed_rows(
    manifest: Manifest, *, brands: Sequence[str] | None, holdout: float
) -> BoxedRows:
    """Rows of `train` with boxes or known to have none; boxed `val` rows, or else `holdout` of the
    training groups, validate.

    Raises:
        InputError: no boxed training rows, or a brand without a box.
    """
    table = _looked_at(manifest.rows("train"))
    counts = Counter(name for names in _brands(table) for name in names)
    labels = sorted(counts if brands is None else set(brands))
    if not labels or not counts:
        raise InputError(f"{manifest.path}: no boxes in split train")
    lacking = [name for name in labels if not counts[name]]
    if lacking:
        raise InputError(f"{manifest.path}: no box of {lacking[0]!r} in split train")
    validation = _looked_at(manifest.rows("val"))
    if not len(validation):
        # A brand of few images gives none away.
        few = {name for name in labels if counts[name] < 5}
        small = np.array([bool(few.intersection(names)) for names in _brands(table)])
        held = held_out(group_keys(table), holdout) & ~small
        table, validation = table.filter(~held), table.filter(held)
    return BoxedRows(table, validation, labels)


def epoch_rows(with_box: np.ndarray, *, background: float, rng: np.random.Generator) -> np.ndarray:
    """Row numbers of one epoch, shuffled: every row with a box, and as many others, drawn anew,
    as make up at most the share `background`.

    Args:
        with_box: bool [n].
    """
    boxed, empty = np.flatnonzero(with_box), np.flatnonzero(~with_box)
    if background < 1:
        most = int(len(boxed) * background / (1 - background))
        empty = rng.permutation(empty)[:most]
    return rng.permutation(np.concatenate([boxed, empty]))


def _looked_at(table: pa.Table) -> pa.Table:
    return table.filter(pc.is_valid(table["boxes"]))


def _brands(table: pa.Table) -> list[list[str]]:
    return [[box["brand"] for box in boxes] for boxes in table["boxes"].to_pylist()]
