"""What a classifier says of each row that was not trained on it.

Every fold's model starts from random weights (or a file of `weights` in the configuration): any
model of the same rows has seen the fold that it is to judge, and remembers its wrong labels.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.clean.folds import Folds
from ml.files import replacing
from ml.manifest import Manifest, rebased, write_manifest
from ml.models.base import Predictions, ShouldStop
from ml.predict import inputs_of, load_models, score
from ml.progress import Progress
from ml.train import train

KIND = "classifier"
PROBABILITIES = "probabilities.npy"


def out_of_fold(
    data: Manifest,
    folds: Folds,
    *,
    config: Mapping[str, Any],
    out: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> np.ndarray:
    """float32 [n, k] probabilities by `folds.labels`, calibrated; NaN for rows not judged.

    Each fold leaves `fold-<i>/` in `out` with its manifest, its model, and its rows' scores, which
    are written last: a fold that has them is not trained again.

    Raises:
        InputError: bad configuration, or an image cannot be read.
        Cancelled: `should_stop` became true; called again with the same arguments it goes on.
    """
    found = np.full((len(folds.rows), len(folds.labels)), np.nan, np.float32)
    for i in range(folds.count):
        held = folds.judged & (folds.fold == i)
        done = out / f"fold-{i}" / PROBABILITIES
        with progress.part(i / folds.count, (i + 1) / folds.count) as part:
            if not done.is_file():
                model = _train(
                    data,
                    folds,
                    i,
                    config=config,
                    directory=done.parent,
                    progress=part,
                    should_stop=should_stop,
                )
                rows = folds.rows.filter(pa.array(held))
                _save(_probabilities(model, data, rows, should_stop), done)
            part.report("score", 1.0)
        found[held] = np.load(done)
    return found


def _train(
    data: Manifest,
    folds: Folds,
    fold: int,
    *,
    config: Mapping[str, Any],
    directory: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Path:
    rows = folds.rows.filter(pa.array(folds.trains(fold)))
    own = write_manifest(rebased(rows, before=data.path.parent, after=directory), directory)
    train(
        kind=KIND,
        manifest=own.path,
        out=directory / "model",
        config=dict(config) | {"brands": folds.labels[:-1]},
        init=None,
        progress=progress,
        should_stop=should_stop,
    )
    return directory / "model"


def _probabilities(
    model: Path, data: Manifest, rows: pa.Table, should_stop: ShouldStop
) -> np.ndarray:
    predictors = load_models([model])
    inputs = inputs_of(data, rows, predictors)
    batches = [found[KIND] for found in score(predictors, inputs, should_stop=should_stop)]
    probabilities = Predictions.join(batches).probabilities
    assert probabilities is not None  # noqa: S101 — a classifier says them
    return probabilities


def _save(probabilities: np.ndarray, path: Path) -> None:
    # To an open file: to a path without the suffix numpy would add one.
    with replacing(path) as partial, partial.open("wb") as file:
        np.save(file, probabilities)
