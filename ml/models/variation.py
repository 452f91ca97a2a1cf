"""The variation model: how the goods are arranged: none (one product), collage or stack.

In both variations the product is too small for the other models. Every training row whose
`variation` is known trains it, whatever its brand answer; with `look` that answer is learned too
(see `looks`), and a collage or a stack is one that shows a brand.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ml.artifact import Artifact
from ml.errors import InputError
from ml.images import image_paths, read_squares
from ml.manifest import Manifest, group_keys
from ml.models.base import Predictions, ShouldStop
from ml.models.config import NetConfig, inherited, memory_side, with_preset
from ml.models.device import choose_device, has_fast_bfloat16
from ml.models.looks import (
    ARRANGEMENTS,
    JOINT,
    arrangement_names,
    as_arrangements,
    other_arrangements,
)
from ml.models.net_predictor import NetPredictor
from ml.models.net_training import train_net
from ml.models.samples import ENOUGH_TO_CALIBRATE, Samples, held_out
from ml.progress import Progress

KIND = "variation"

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

    look: a collage or a stack counts only where it shows a brand: its answer is learned too.
    balance: 0 shows each image equally often, 1 each class.
    """

    look: bool = False
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
    trained, calibration = variation_rows(manifest, config)
    progress.report("read images", 0.0)
    samples, validation = (
        _samples(manifest, table, side, should_stop, look=config.look)
        for table, side in ((trained, memory_side(config)), (calibration, config.size or 0))
    )
    return train_net(
        kind=KIND,
        config=config,
        labels=JOINT if config.look else ARRANGEMENTS,
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


class VariationPredictor(NetPredictor):
    """Probabilities of the three arrangements.

    Attributes:
        look: collage and stack are only those that show a brand.
    """

    def __init__(self, artifact: Artifact) -> None:
        super().__init__(artifact, Config)
        self.look = self.labels == JOINT
        self.labels = ARRANGEMENTS

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """See `ml.models.base.Predictor`."""
        found = super().predict_squares(squares, sizes)
        return as_arrangements(found) if self.look else found

    def output_of(self, label: int) -> int:
        """See `NetPredictor`: with look, of collage and stack the ones that show a brand."""
        name = self.labels[label]
        return JOINT.index(f"{name} with a brand") if self.look and name != "none" else label


def load(artifact: Artifact) -> VariationPredictor:
    """See `ml.models.base`."""
    return VariationPredictor(artifact)


def variation_rows(manifest: Manifest, config: Config) -> tuple[pa.Table, pa.Table]:
    """Training and calibration rows: those of `val`, and while they are few a share of `train`.

    Raises:
        InputError: a class has fewer than two training rows.
    """
    table = _known(manifest.rows("train"))
    names = arrangement_names(table, look=config.look)
    counts = Counter(names)
    classes = JOINT if config.look else ARRANGEMENTS
    for name in classes:
        if counts[name] < 2:
            raise InputError(
                f"{manifest.path}: variation {name} has {counts[name]} training image(s), "
                "at least 2 are needed"
            )
    validation = _known(manifest.rows("val"))
    known = arrangement_names(validation, look=config.look) != None  # noqa: E711 — an object array
    validation = validation.filter(pa.array(known, pa.bool_()))
    if len(validation) >= ENOUGH_TO_CALIBRATE:
        return table, validation
    held = held_out(group_keys(table), config.holdout)
    # A class of few images gives none away, and one that is not known has none to give.
    held &= np.array([counts[name] >= 5 and name is not None for name in names], bool)
    return table.filter(pa.array(~held)), pa.concat_tables(
        [validation, table.filter(pa.array(held))]
    )


def _known(table: pa.Table) -> pa.Table:
    return table.filter(table["variation"].is_valid())


def _samples(
    manifest: Manifest, table: pa.Table, side: int, should_stop: ShouldStop, *, look: bool
) -> Samples:
    paths = image_paths(manifest, table["image"].to_pylist())
    images = read_squares(paths, side, should_stop=should_stop)
    classes = JOINT if look else ARRANGEMENTS
    names = arrangement_names(table, look=look)
    targets = (names[:, None] == np.array(classes, dtype=object)[None]).astype(np.float32)
    ruled_out = np.zeros(targets.shape, bool)
    if look:
        ruled_out = other_arrangements(table) & ~targets.any(axis=1, keepdims=True)
    return Samples(images, targets, ruled_out)
