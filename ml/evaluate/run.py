"""Evaluate models on a manifest: every image is decoded once for all of them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.errors import InputError
from ml.evaluate.report import build_report, scored
from ml.manifest import read_manifest
from ml.models.base import Predictions, ShouldStop
from ml.predict import inputs_of, load_models, score
from ml.progress import Progress

TEST_SPLITS = ("closed", "open", "business")


def evaluate(
    *,
    models: Sequence[Path],
    manifest: Path,
    flag_ratio: float | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """One model: its report; several: `{"models": {kind: report}}`.

    Raises:
        InputError: no test rows, no open rows to fit on, a missing or broken image.
        Cancelled: `should_stop` became true.
    """
    if flag_ratio is not None and not 0 < flag_ratio < 1:
        raise InputError("--flag-ratio must be between 0 and 1")
    started = time.monotonic()
    data = read_manifest(manifest)
    rows = data.rows(*TEST_SPLITS)
    if not len(rows):
        raise InputError(f"{data.path}: no rows with split {', '.join(TEST_SPLITS)}")
    predictors = load_models(models)
    inputs = inputs_of(data, rows, predictors)
    parts: dict[str, list[Predictions]] = {kind: [] for kind in predictors}
    for i, batch in enumerate(score(predictors, inputs, should_stop=should_stop)):
        progress.report("score", i * inputs.batch / len(inputs))
        for kind, predictions in batch.items():
            parts[kind].append(predictions)
    reports = {
        kind: build_report(
            kind, scored(kind, predictors[kind].labels, rows, found), flag_ratio=flag_ratio
        )
        for kind, found in parts.items()
    }
    for report in reports.values():
        report["seconds"] = round(time.monotonic() - started, 3)
    progress.report("done", 1.0)
    return next(iter(reports.values())) if len(reports) == 1 else {"models": reports}
