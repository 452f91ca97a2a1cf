"""Several training sets and what each is worth: one recipe, as many steps, the same test rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.evaluate.run import evaluate
from ml.manifest import Manifest
from ml.models.base import ShouldStop
from ml.models.brand_rows import KNOWN
from ml.progress import Progress
from ml.train import train

FLAG_RATIO = 0.01
HOLDOUT = 0.1
# Small enough for many trainings on two cores, the same wherever it runs.
RECIPE: dict[str, Any] = {
    "backbone": "small_resnet",
    "backbone_args": {"channels": [16, 32, 64, 128]},
    "size": 64,
    "start_size": 32,
    "batch_size": 32,
    "learning_rate": 6e-3,
    "holdout": HOLDOUT,
}


def measure_each(
    sets: Mapping[str, Manifest],
    *,
    epochs: int,
    seed: int,
    out: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> list[dict[str, Any]]:
    """A row a training set (its name is `labels`): what the classifier reaches that it trains, its
    closed mean recall, the flag ratio it has with a threshold fitted for FLAG_RATIO, and the recall
    of the business rows with and without a logo, where there are any.

    Args:
        epochs: on the first set; the others train for the whole number of epochs that comes nearest
            to as many steps.
        out: a folder for the models.
    """
    steps = epochs * _epoch_steps(next(iter(sets.values())))
    rows = []
    for i, (name, manifest) in enumerate(sets.items()):
        with progress.part(i / len(sets), (i + 1) / len(sets)) as part:
            figures = _measure(
                manifest,
                epochs=max(1, round(steps / _epoch_steps(manifest))),
                seed=seed,
                out=out / str(i),
                progress=part,
                should_stop=should_stop,
            )
        rows.append({"labels": name} | figures)
    return rows


def _measure(
    manifest: Manifest,
    *,
    epochs: int,
    seed: int,
    out: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    with progress.part(0.0, 0.8) as part:
        artifact = train(
            kind="classifier",
            manifest=manifest.path,
            out=out,
            config=RECIPE | {"seed": seed, "epochs": epochs},
            init=None,
            progress=part,
            should_stop=should_stop,
        )
    with progress.part(0.8, 1.0) as part:
        report = evaluate(
            models=[out],
            manifest=manifest.path,
            flag_ratio=FLAG_RATIO,
            progress=part,
            should_stop=should_stop,
        )
    business: Mapping[str, Any] = report.get("business", {})
    return {
        "closed_mean_recall": report["closed"]["mean_recall"],
        "flag_ratio": report["open"]["flag_ratio"],
        **{
            f"business_{shown}": business[f"recall_{shown}"]
            for shown in ("logo", "no_logo")
            if f"recall_{shown}" in business
        },
        "rows": artifact.metrics["rows"],
        "steps": artifact.metrics["steps"],
    }


def _epoch_steps(manifest: Manifest) -> int:
    answered = pc.is_in(manifest.rows("train")["answer"], pa.array(KNOWN))
    rows = round((1 - HOLDOUT) * pc.sum(answered).as_py())
    return -(-rows // int(RECIPE["batch_size"]))
