"""What a cascade costs, by nets trained on a generated world: fused closed recall with the detector
on every image and with the detector where the fusion is undecided, at the same flag ratio."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.bench.fusion import FLAG_RATIO, trained_models
from ml.evaluate.judging import moved, threshold_vector
from ml.evaluate.recall import flagged, hits, mean_recall, recall_by_brand
from ml.evaluate.scored import fitting_half
from ml.models.base import FusionPredictor, Predictions, ShouldStop
from ml.models.fusion.material import chosen_of
from ml.predict import inputs_of, load_models, score
from ml.progress import Progress
from ml.train import train


def recall_loss(
    seed: int, folder: Path, progress: Progress, should_stop: ShouldStop, *, quick: bool
) -> dict[str, Any]:
    """`recall` and `cascade_recall` on the closed rows, both with thresholds moved to `flag_ratio`
    of the open rows that nothing was fitted on; and the share of these that were `looked_at`."""
    with progress.part(0.0, 0.7) as part:
        world, artifacts = trained_models(seed, folder, part, should_stop, quick=quick)
    models = [str(artifact.directory) for artifact in artifacts]
    with progress.part(0.7, 0.8) as part:
        train(
            kind="fusion",
            manifest=world.path,
            out=folder / "fusion",
            config={"models": models, "flag_ratio": FLAG_RATIO},
            init=None,
            progress=part,
            should_stop=should_stop,
        )
    rows = world.rows("closed", "open")
    predictors = load_models([*map(Path, models), folder / "fusion"])
    inputs = inputs_of(world, rows, predictors)
    said: dict[bool, dict[str, Predictions]] = {}
    for cascade in (False, True):
        progress.report("score", 0.9 if cascade else 0.8)
        batches = list(score(predictors, inputs, cascade=cascade, should_stop=should_stop))
        said[cascade] = {k: Predictions.join([batch[k] for batch in batches]) for k in predictors}
    fusion = predictors["fusion"]
    assert isinstance(fusion, FusionPredictor)  # noqa: S101 — the kind says so
    opened = np.array(rows["split"].to_pylist()) == "open"
    measured = opened.copy()
    measured[np.flatnonzero(opened)[fitting_half(rows.filter(pa.array(opened)))]] = False
    full, some = (_recall(said[way]["fusion"], fusion, rows, measured) for way in (False, True))
    looked = np.array([boxes is not None for boxes in said[True]["detector"].boxes or ()])
    return {
        "seed": seed,
        "recall": full["recall"],
        "cascade_recall": some["recall"],
        "flag_ratio": [full["flag_ratio"], some["flag_ratio"]],
        "looked_at": round(float(looked[measured].mean()), 4),
        "looked_at_closed": round(float(looked[~opened].mean()), 4),
        "closed": int((~opened).sum()),
        "open": int(measured.sum()),
    }


def _recall(
    found: Predictions, fusion: FusionPredictor, rows: pa.Table, measured: np.ndarray
) -> Mapping[str, float]:
    assert found.probabilities is not None  # noqa: S101 — a fusion gives them
    names, scores = fusion.labels[:-1], found.probabilities[:, :-1]
    limits = threshold_vector(moved(fusion.thresholds, names, scores[measured], FLAG_RATIO), names)
    brands = chosen_of(rows, list(names))
    closed = (np.array(rows["split"].to_pylist()) == "closed") & (brands >= 0)
    hit = hits(scores, brands, limits)[closed]
    return {
        "recall": round(mean_recall(recall_by_brand(hit, brands[closed].astype(str))), 4),
        "flag_ratio": round(float(flagged(scores, limits)[measured].mean()), 4),
    }
