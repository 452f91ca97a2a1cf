"""The forecast of a round before it is opened: what its labels are likely to change."""

from pathlib import Path
from typing import Any

import numpy as np

from ml.errors import Cancelled, InputError
from ml.forecast.changes import Changes
from ml.forecast.ground import Ground, Reader, measure
from ml.forecast.heads import Labelled, joined, learn
from ml.manifest import read_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress


def forecast(
    *,
    model: Path,
    known: Path,
    chosen: Path,
    test: Path,
    flag_ratio: float,
    draws: int,
    seed: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """The report of `ml.forecast.changes`, and `items`, `draws`, `known`, `closed`, `opened`: how
    many.

    The answers that the chosen items may get are drawn from the classifier's calibrated
    probabilities, and a head is learned anew with each draw. The interval holds what chance does
    to the answers and to the test rows; that a network learns otherwise than a head on its
    embeddings is not in it, so forecasts are to be compared with outcomes.

    Args:
        model: a classifier's folder.
        known, chosen, test: manifests: answered rows of `train` and `val`; the items to be asked,
            whatever their split; rows of `closed` and `open`.

    Raises:
        InputError: no item is chosen, or see `Reader`.
        Cancelled: `should_stop` became true.
    """
    if draws < 2 or not 0 < flag_ratio < 1:
        raise InputError("--draws must be at least 2, and --flag-ratio between 0 and 1")
    reader, asked = Reader(model, should_stop), read_manifest(chosen)
    if not len(asked):
        raise InputError(f"{asked.path}: no item is chosen")
    with progress.part(0.0, 0.4) as part:
        ground = reader.ground(read_manifest(known), read_manifest(test), part)
    with progress.part(0.4, 0.5) as part:
        seen = reader.look(asked, asked.table, part)
    assert seen.embeddings is not None and seen.probabilities is not None  # noqa: S101
    with progress.part(0.5, 1.0) as part:
        report = outlook(
            ground, seen.embeddings, seen.probabilities, flag_ratio=flag_ratio, draws=draws,
            seed=seed, progress=part, should_stop=should_stop,
        )  # fmt: skip
    return report | {
        "items": len(asked),
        "draws": draws,
        "known": len(ground.known),
        "closed": len(ground.closed),
        "opened": len(ground.opened),
    }


def outlook(
    ground: Ground,
    looks: np.ndarray,
    chances: np.ndarray,
    *,
    flag_ratio: float,
    draws: int,
    seed: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """
    Args:
        looks: (n, d) of the items to be asked.
        chances: (n, brands + 1) of their answers.
    """
    rng = np.random.default_rng([seed, 0])
    first = learn(ground.known)
    before = measure(first, ground, flag_ratio=flag_ratio)
    changes = Changes(ground, seed=seed)
    ends = np.cumsum(chances, axis=1)
    for draw in range(draws):
        if should_stop():
            raise Cancelled
        progress.report("forecast", draw / draws)
        answers = (rng.random((len(looks), 1)) * ends[:, -1:] > ends).sum(axis=1)
        head = learn(joined(ground.known, Labelled(looks, answers)), near=first)
        changes.add(before, measure(head, ground, flag_ratio=flag_ratio))
    return changes.report()
