"""The variation model: how the goods are arranged: none (one product), collage or stack.

In both variations the product is too small for the other models. Every training row whose
`variation` is known trains it, whatever its brand answer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ml.artifact import Artifact
from ml.errors import InputError
from ml.images import image_paths, read_squares
from ml.manifest import VARIATIONS, Manifest
from ml.models.base import ShouldStop
from ml.models.config import NetConfig, inherited, memory_side, with_preset
from ml.models.device import choose_device, has_fast_bfloat16
from ml.models.net_predictor import NetPredictor
from ml.models.net_training import train_net
from ml.models.samples import ENOUGH_TO_CALIBRATE, Samples, held_out, one_hot
from ml.progress import Progress

KIND = "variation"
LABELS = list(VARIATIONS)

PRESETS: dict[str, dict[str, Any]] = {
    "cpu": {
        "backbone": "small_resnet",
        "size": 80,
        "start_size": 48,
        "epochs": 8,
        "warm_epochs": 4,
        "batch_size": 32,
        "learning_rate": 3e-3,
        "warm_learning_rate": 1e-3,
    },
    "cuda": {
        "backbone": "resnet26d",
        "size": 192,
        "epochs": 20,
        "warm_epochs": 8,
        "batch_size": 128,
        "learning_rate": 2e-3,
        "warm_learning_rate": 5e-4,
    },
}


@dataclass(frozen=True)
class Config(NetConfig):
    """Attributes beyond NetConfig's:

    balance: 0 shows each image equally often, 1 each class.
    """

    balance: float = 0.5
    crop: float = 0.85
    shift: float = 0.05
    flip: bool = True
    detail: float = 1.0


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
    trained, calibration = _rows(manifest, config)
    progress.report("read images", 0.0)
    samples, validation = (
        _samples(manifest, table, side, should_stop)
        for table, side in ((trained, memory_side(config)), (calibration, config.size or 0))
    )
    return train_net(
        kind=KIND,
        config=config,
        labels=LABELS,
        balance=config.balance,
        samples=samples,
        validation=validation,
        manifest=manifest,
        out=out,
        init=init,
        device=device,
        progress=progress,
        should_stop=should_stop,
    )


def _preset(device: torch.device) -> dict[str, Any]:
    return PRESETS[device.type] | {"bfloat16": has_fast_bfloat16(device)}


def load(artifact: Artifact) -> NetPredictor:
    """See `ml.models.base`."""
    return NetPredictor(artifact, Config)


def _rows(manifest: Manifest, config: Config) -> tuple[pa.Table, pa.Table]:
    """Training and calibration rows: those of `val`, and while they are few a share of `train`.

    Raises:
        InputError: a class has fewer than two training rows.
    """
    table = _known(manifest.rows("train"))
    kinds = np.array(table["variation"].to_pylist())
    for name in LABELS:
        count = int(np.sum(kinds == name))
        if count < 2:
            raise InputError(
                f"{manifest.path}: variation {name} has {count} training image(s), "
                "at least 2 are needed"
            )
    validation = _known(manifest.rows("val"))
    if len(validation) >= ENOUGH_TO_CALIBRATE:
        return table, validation
    columns = (table[name].to_pylist() for name in ("group", "sha256", "image"))
    held = held_out([g or s or i for g, s, i in zip(*columns, strict=True)], config.holdout)
    held &= ~np.isin(kinds, [name for name in LABELS if np.sum(kinds == name) < 5])
    return table.filter(~held), pa.concat_tables([validation, table.filter(held)])


def _known(table: pa.Table) -> pa.Table:
    return table.filter(table["variation"].is_valid())


def _samples(manifest: Manifest, table: pa.Table, side: int, should_stop: ShouldStop) -> Samples:
    paths = image_paths(manifest, table["image"].to_pylist())
    images = read_squares(paths, side, should_stop=should_stop)
    classes = [LABELS.index(name) for name in table["variation"].to_pylist()]
    return Samples(images, one_hot(classes, len(LABELS)), np.zeros((len(table), len(LABELS)), bool))
