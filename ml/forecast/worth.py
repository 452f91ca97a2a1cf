"""What chosen labels bought over random ones: heads learned from as many of either."""

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


def worth(
    *,
    model: Path,
    known: Path,
    chosen: Path,
    control: Path,
    test: Path,
    flag_ratio: float,
    draws: int,
    seed: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """The report of `ml.forecast.changes`, `before` being the control's and `after` that of as many
    chosen labels, and `each`, `chosen`, `control`, `draws`: how many.

    Args:
        model: a classifier that was trained on neither.
        known: what was labelled before, and is in neither.
        chosen, control: answered rows, of any split.
        test: rows of `closed` and `open`.

    Raises:
        InputError: nothing of a kind is answered, or see `Reader`.
        Cancelled: `should_stop` became true.
    """
    if draws < 2 or not 0 < flag_ratio < 1:
        raise InputError("--draws must be at least 2, and --flag-ratio between 0 and 1")
    reader = Reader(model, should_stop)
    with progress.part(0.0, 0.4) as part:
        ground = reader.ground(read_manifest(known), read_manifest(test), part)
    arms: list[Labelled] = []
    for i, path in enumerate((chosen, control)):
        data = read_manifest(path)
        with progress.part(0.4 + 0.05 * i, 0.45 + 0.05 * i) as part:
            rows = reader.answered(data, data.table, most=len(data), progress=part)
        if not len(rows):
            raise InputError(f"{data.path}: no answered row")
        arms.append(rows.labelled)
    with progress.part(0.5, 1.0) as part:
        report = compare_arms(
            ground, *arms, flag_ratio=flag_ratio, draws=draws, seed=seed, progress=part,
            should_stop=should_stop,
        )  # fmt: skip
    return report | {
        "each": min(map(len, arms)),
        "chosen": len(arms[0]),
        "control": len(arms[1]),
        "draws": draws,
    }


def compare_arms(
    ground: Ground,
    chosen: Labelled,
    control: Labelled,
    *,
    flag_ratio: float,
    draws: int,
    seed: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """As many of each are drawn with replacement as the smaller arm has, so that the interval holds
    what other labels of the same kind might have bought."""
    rng = np.random.default_rng([seed, 2])
    each = min(len(chosen), len(control))
    first = learn(ground.known)
    changes = Changes(ground, seed=seed)
    for draw in range(draws):
        if should_stop():
            raise Cancelled
        progress.report("compare", draw / draws)
        of_control, of_chosen = (
            measure(
                learn(
                    joined(ground.known, arm.only(rng.integers(len(arm), size=each))), near=first
                ),
                ground,
                flag_ratio=flag_ratio,
            )
            for arm in (control, chosen)
        )
        changes.add(of_control, of_chosen)
    return changes.report()
