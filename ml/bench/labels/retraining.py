"""The check at the end of a campaign: a network trained on what was bought, instead of a head."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml.bench.labels.campaign import FLAG_RATIO
from ml.bench.labels.material import Material
from ml.evaluate.run import evaluate
from ml.manifest import write_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.train import train


def retrained_recall(
    material: Material, bought: np.ndarray, *, config: Mapping[str, Any], should_stop: ShouldStop
) -> float:
    """Closed mean recall at `FLAG_RATIO` of a classifier that begins at the champion's weights and
    is trained, whole, on what is given and what was bought.

    Args:
        bought: (m,) places in the pool.
        config: of the classifier; its brands are added.

    Raises:
        ValueError: the material has no images.
    """
    if (images := material.images) is None:
        raise ValueError("there are embeddings only")
    quiet = Progress(quiet=True)
    known = [*images.given, *(images.pool[place] for place in bought)]
    labelled = [{**row, "split": "train"} for row in known]
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as place:
        folder = Path(place)
        manifest = write_manifest([*labelled, *images.tested], folder)
        train(
            kind="classifier",
            manifest=manifest.path,
            out=folder / "model",
            config={**config, "brands": list(images.brands)},
            init=images.champion,
            progress=quiet,
            should_stop=should_stop,
        )
        report = evaluate(
            models=[folder / "model"],
            manifest=manifest.path,
            flag_ratio=FLAG_RATIO,
            progress=quiet,
            should_stop=should_stop,
        )
    return float(report["closed"]["mean_recall"])
