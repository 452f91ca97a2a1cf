"""Evaluate models on a manifest: every image is decoded once for all of them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.errors import InputError
from ml.evaluate.costs import costs
from ml.evaluate.judging import judge
from ml.evaluate.report import build_report
from ml.evaluate.risks import attack_figures, risk_figures, usual_prices
from ml.evaluate.scored import scored
from ml.evaluate.scores_file import scores_path, write_scores
from ml.images import image_area
from ml.manifest import read_manifest
from ml.models.base import FusionPredictor, ShouldStop
from ml.predict import inputs_of, load_models, score_all
from ml.progress import Progress

TEST_SPLITS = ("closed", "open", "business")


def evaluate(
    *,
    models: Sequence[Path],
    manifest: Path,
    flag_ratio: float | None,
    progress: Progress,
    should_stop: ShouldStop,
    scores: Path | None = None,
) -> dict[str, Any]:
    """One model: its report; several: `{"models": {kind: report}}`.

    Args:
        scores: write each model's scores there (see `scores_file`); the report names the file.

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
    said = score_all(predictors, inputs, progress=progress, should_stop=should_stop)
    share = box_shares(rows, inputs.paths)
    attacks = next((one.attacks for one in said.values() if one.attacks is not None), None)
    usual = usual_prices(data.rows("train", "val"))
    reports = {}
    cost = costs(models, predictors, inputs)
    for kind, found in said.items():
        model = predictors[kind]
        look = getattr(model, "look", False)  # a variation model's
        own = scored(kind, model.labels, rows, [found], share, look=look)
        fixed = model.thresholds if isinstance(model, FusionPredictor) else None
        thresholds, outcomes = judge(kind, own, flag_ratio=flag_ratio, own=fixed)
        reports[kind] = build_report(kind, own, outcomes, thresholds) | cost[kind]
        reports[kind]["manifest"] = data.sha256
        if kind != "variation":
            reports[kind] |= risk_figures(rows, outcomes.hit, attacks, usual)
            reports[kind] |= attack_figures(rows, attacks) if kind == "classifier" else {}
        if scores is not None:
            path = scores_path(scores, kind if len(said) > 1 else None)
            write_scores(path, own, outcomes, kind=kind, thresholds=thresholds)
            reports[kind]["scores"] = path.name
    for report in reports.values():
        report["seconds"] = round(time.monotonic() - started, 3)
    progress.report("done", 1.0)
    return next(iter(reports.values())) if len(reports) == 1 else {"models": reports}


def box_shares(rows: pa.Table, paths: Sequence[Path]) -> np.ndarray:
    """[n]: the largest true box's share of the image; NaN where none is known, or no image is
    looked at (`paths` is empty)."""
    shares = np.full(len(rows), np.nan)
    for i, boxes in enumerate(rows["boxes"].to_pylist()):
        if boxes and paths:
            areas = [(box["x2"] - box["x1"]) * (box["y2"] - box["y1"]) for box in boxes]
            shares[i] = max(areas) / image_area(paths[i])
    return shares
