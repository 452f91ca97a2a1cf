"""The rows of a manifest that train and calibrate the brand classifier."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml.errors import InputError
from ml.manifest import Manifest, group_keys
from ml.models.negatives import choose_negatives
from ml.models.samples import ENOUGH_TO_CALIBRATE, held_out

BACKGROUND = "none"
KNOWN = ("brand", "none", "other")


@dataclass(frozen=True)
class BrandRows:
    """`train` and `calibration` have the manifest's columns; `labels` ends with the background."""

    train: pa.Table
    calibration: pa.Table
    labels: list[str]


def choose_brand_rows(
    manifest: Manifest,
    *,
    brands: Sequence[str] | None,
    holdout: float,
    negatives_per_brand: float | None,
    hard_share: float,
    seed: int,
) -> BrandRows:
    """Training rows: brands, chosen background rows, and unlabelled rows with a brand ruled out.

    Calibration rows are the answered `val` rows, and while they are few `holdout` of the answered
    `train` groups too.

    Raises:
        InputError: no training rows, no brands, a brand with one image, or no background.
    """
    table = manifest.rows("train")
    if not len(table):
        raise InputError(f"{manifest.path}: no rows with split train")
    answers = table["answer"].to_pylist()
    brand = np.array([b if a == "brand" else None for a, b in _columns(table, "answer", "brand")])
    labels = _labels(manifest, brand, brands)
    positive = np.isin(brand, labels[:-1])
    background = np.isin(answers, KNOWN) & ~positive
    if not background.any():
        raise InputError(f"{manifest.path}: no negatives (answer none or other) in split train")
    answered = positive | background
    validation = _answered(manifest.rows("val"))
    if len(validation) < ENOUGH_TO_CALIBRATE:
        held = answered & held_out(group_keys(table), holdout) & ~_small(brand, labels)
        validation = pa.concat_tables([validation, table.filter(held)])
        answered &= ~held
    negatives = _negatives(
        table,
        np.flatnonzero(background & answered),
        budget=None if negatives_per_brand is None else round(negatives_per_brand * len(labels)),
        hard_share=hard_share,
        seed=seed,
    )
    ruled_out = [bool(set(e or ()) & set(labels)) for e in table["excluded"].to_pylist()]
    kept = (positive & answered) | negatives | (~np.isin(answers, KNOWN) & np.array(ruled_out))
    return BrandRows(table.filter(kept), validation, labels)


def targets(table: pa.Table, labels: Sequence[str]) -> np.ndarray:
    """float32 [n, k]: the brand and the brands in `also` in equal parts, the background for other
    answers, zeros where the answer is unknown."""
    found = np.zeros((len(table), len(labels)), np.float32)
    place = {name: i for i, name in enumerate(labels)}
    for row, (answer, brand, also) in enumerate(_columns(table, "answer", "brand", "also")):
        if answer not in KNOWN:
            continue
        visible = [brand, *(also or ())] if answer == "brand" else []
        known = [place[name] for name in visible if name in place]
        found[row, known or [len(labels) - 1]] = 1.0
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1)


def excluded(table: pa.Table, labels: Sequence[str]) -> np.ndarray:
    """bool [n, k]: the brands a row rules out."""
    return np.array(
        [[name in (ruled_out or ()) for name in labels] for ruled_out in _column(table, "excluded")]
    ).reshape(len(table), len(labels))


def _labels(manifest: Manifest, brand: np.ndarray, brands: Sequence[str] | None) -> list[str]:
    counts = Counter(b for b in brand if b is not None)
    names = sorted(counts if brands is None else set(brands))
    if not names:
        raise InputError(f"{manifest.path}: no row with answer brand in split train")
    few = [name for name in names if counts[name] < 2]
    if few:
        raise InputError(
            f"{manifest.path}: {few[0]!r} has {counts[few[0]]} training image(s), at least 2 are "
            f"needed{f' (and {len(few) - 1} more brands)' if len(few) > 1 else ''}"
        )
    if BACKGROUND in names:
        raise InputError(f"{manifest.path}: {BACKGROUND!r} cannot be a brand's key")
    return [*names, BACKGROUND]


def _negatives(
    table: pa.Table, rows: np.ndarray, *, budget: int | None, hard_share: float, seed: int
) -> np.ndarray:
    """Bool mask over the table: the chosen ones of the background `rows`."""
    known = list(_columns(table.take(rows), "answer", "excluded", "attack"))
    chosen = choose_negatives(
        [ruled_out or () for _, ruled_out, _ in known],
        np.array([answer == "other" or bool(ex) or bool(attack) for answer, ex, attack in known]),
        budget=budget,
        hard_share=hard_share,
        rng=np.random.default_rng([seed, 0]),
    )
    mask = np.zeros(len(table), bool)
    mask[rows[chosen]] = True
    return mask


def _small(brand: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Bool mask: rows of brands too small to give any away."""
    counts = Counter(brand)
    return np.isin(brand, [name for name in labels[:-1] if counts[name] < 5])


def _answered(table: pa.Table) -> pa.Table:
    return table.filter(pa.array([a in KNOWN for a in _column(table, "answer")], pa.bool_()))


def _column(table: pa.Table, name: str) -> list:
    return table[name].to_pylist()


def _columns(table: pa.Table, *names: str) -> zip:
    return zip(*(_column(table, name) for name in names), strict=True)
