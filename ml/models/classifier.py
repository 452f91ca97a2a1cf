"""The brand classifier: one class a brand plus the background, softmax.

Rows answered `brand` are positives; `none` and `other` are the background; a brand in `excluded`
is a partial negative (−log(1 − p)), also on rows whose brand is unknown. Other unlabelled rows are
not trained on.

Beside the brand it tells smears and knock-offs, where it can (`ml.models.attacks`).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ml.artifact import Artifact
from ml.images import image_paths, read_squares
from ml.manifest import Manifest, group_keys
from ml.models.attacks import ATTACKS, UNKNOWN, attack_classes, fit_probe
from ml.models.base import ShouldStop
from ml.models.brand_rows import choose_brand_rows, excluded, targets
from ml.models.config import NetConfig, inherited, memory_side, with_preset
from ml.models.device import choose_device, has_fast_bfloat16
from ml.models.net_predictor import NetPredictor
from ml.models.net_training import Embed, train_net
from ml.models.samples import Samples
from ml.progress import Progress

KIND = "classifier"

PRESETS: dict[str, dict[str, Any]] = {
    "cpu": {
        "backbone": "small_resnet",
        "size": 80,
        "start_size": 32,
        "epochs": 24,
        "warm_epochs": 8,
        "batch_size": 32,
        "learning_rate": 6e-3,
        "warm_learning_rate": 3e-3,
    },
    "cuda": {
        "backbone": "resnet50d",
        "size": 224,
        "epochs": 40,
        "warm_epochs": 12,
        "batch_size": 128,
        "learning_rate": 2e-3,
        "warm_learning_rate": 5e-4,
    },
}


@dataclass(frozen=True)
class Config(NetConfig):
    """Attributes beyond NetConfig's:

    brands: the brand list; every brand with a training image when None.
    balance: 0 shows each image equally often, 1 each class.
    negatives_per_brand: background images trained on, a brand; all when None.
    hard_share: share of them known to look like a brand: answered `other`, with a brand in
        `excluded`, or an attack; used where `negatives_per_brand` leaves a choice.
    """

    brands: tuple[str, ...] | None = None
    balance: float = 0.5
    negatives_per_brand: float | None = None
    hard_share: float = 0.5


def train(
    *,
    config: Config,
    manifest: Manifest,
    out: Path,
    init: Artifact | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> Artifact:
    """See `ml.models.base`."""
    device = choose_device(config.device, threads=config.threads)
    config = with_preset(config, _preset(device) | inherited(init))
    rows = choose_brand_rows(
        manifest,
        brands=config.brands,
        holdout=config.holdout,
        negatives_per_brand=config.negatives_per_brand,
        hard_share=config.hard_share,
        seed=config.seed,
    )
    progress.report("read images", 0.0)
    samples, validation = (
        _samples(manifest, table, rows.labels, side, should_stop)
        for table, side in ((rows.train, memory_side(config)), (rows.calibration, config.size or 0))
    )
    return train_net(
        kind=KIND,
        config=config,
        labels=rows.labels,
        balance=config.balance,
        samples=samples,
        validation=validation,
        manifest=manifest,
        out=out,
        init=init,
        device=device,
        progress=progress,
        should_stop=should_stop,
        probe=partial(_probe_attacks, manifest, config.size or 0, should_stop),
    )


def _probe_attacks(
    manifest: Manifest, side: int, should_stop: ShouldStop, embed: Embed
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the probe on all rows with a known risk, as whole images: of these there are few."""
    rows = manifest.rows("train", "val")
    classes = attack_classes(rows)
    known = np.flatnonzero(classes != UNKNOWN)
    if not np.isin(classes[known], range(1, len(ATTACKS) + 1)).any():
        return {}, {}
    rows = rows.take(known)
    paths = image_paths(manifest, rows["image"].to_pylist())
    embeddings = embed(read_squares(paths, side, should_stop=should_stop))
    probe, found = fit_probe(embeddings, classes[known], group_keys(rows))
    return {} if probe is None else {"attacks": probe.as_calibration()}, {"attacks": found}


def _samples(
    manifest: Manifest,
    table: pa.Table,
    labels: list[str],
    side: int,
    should_stop: ShouldStop,
) -> Samples:
    paths = image_paths(manifest, table["image"].to_pylist())
    images = read_squares(paths, side, should_stop=should_stop)
    return Samples(images, targets(table, labels), excluded(table, labels))


def _preset(device: torch.device) -> dict[str, Any]:
    return PRESETS[device.type] | {"bfloat16": has_fast_bfloat16(device)}


def load(artifact: Artifact) -> NetPredictor:
    """See `ml.models.base`."""
    return NetPredictor(artifact, Config)
