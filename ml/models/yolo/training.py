"""One training of the detector, step by step.

The network, the assignment of boxes to anchor points, the frame of the losses and the
augmentations are Ultralytics'; the loop is not. Their trainer spends each epoch's end on
validation, plots and pickled checkpoints of the whole network, and resumes by whole epochs only;
`Fitting` has none of that and is shared with the other models.
"""

import hashlib
import json
import logging
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.artifact import META, Artifact, file_sha256
from ml.evaluate.boxes import ImageBoxes, mean_average_precision
from ml.manifest import Manifest
from ml.models.fitting import Schedule
from ml.models.yolo.boxed_images import BoxedImages
from ml.models.yolo.config import Config, loss_config, view_config
from ml.models.yolo.losses import DetectionLoss
from ml.models.yolo.predictor import find
from ml.models.yolo.samples import epoch_rows
from ml.models.yolo.views import Views

log = logging.getLogger(__name__)


class Steps:
    """The loss of any step, from (seed, step) alone."""

    def __init__(self, images: BoxedImages, config: Config, net: nn.Module, *, warm: bool) -> None:
        """Args: net: on the device it is trained on."""
        self._config, self._device = config, next(net.parameters()).device
        self._with_box = np.array([len(boxes) > 0 for boxes in images.boxes])
        self._loss = DetectionLoss(net, loss_config(config))
        views = view_config(config)
        self._mixed = Views(images, views)
        self._single = Views(images, views.without_mixing())
        self._epoch, self._order = -1, self._draw(0)
        self.count = self._counted(warm=warm)

    def loss(self, net: nn.Module, step: int) -> Tensor:
        last = step >= self.count * (1 - self._config.close)
        views = self._single if last else self._mixed
        rows, seed = self._rows(step), self._config.seed * 1_000_003 + step
        batch = views.batch(rows, among=self._order, seed=seed)
        batch = {name: tensor.to(self._device) for name, tensor in batch.items()}
        return self._loss.total(net(batch["img"]), batch)

    def schedule(self, *, warm: bool) -> Schedule:
        config = self._config
        return Schedule(
            steps=self.count,
            epoch_steps=self._epoch_steps(),
            learning_rate=(config.warm_learning_rate if warm else config.learning_rate) or 0.0,
            weight_decay=config.weight_decay,
            warmup=config.warmup,
            ema=config.ema,
            seed=config.seed,
            checkpoint_seconds=config.checkpoint_seconds,
        )

    def _rows(self, step: int) -> np.ndarray:
        """The rows of a batch; what an epoch leaves over fills its last batch from its start."""
        epoch, within = divmod(step, self._epoch_steps())
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._draw(epoch)
        size = self._config.batch_size or 1
        return np.take(self._order, np.arange(within * size, (within + 1) * size), mode="wrap")

    def _counted(self, *, warm: bool) -> int:
        steps, warm_steps = self._config.steps or 0, self._config.warm_steps or 0
        shown = (self._config.passes or 0) * self._epoch_steps()
        return max(warm_steps, round(shown * warm_steps / steps)) if warm else max(steps, shown)

    def _epoch_steps(self) -> int:
        return -(-len(self._order) // (self._config.batch_size or 1))

    def _draw(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self._config.seed, epoch])
        return epoch_rows(self._with_box, background=self._config.background, rng=rng)


def identity(config: Config, manifest: Manifest, init: Artifact | None) -> str:
    """A hash of all that decides what a training ends with, but not of how it is run."""
    settings = asdict(config)
    for name in ("threads", "checkpoint_seconds"):
        del settings[name]
    parts: dict[str, Any] = {"config": settings, "manifest": manifest.sha256}
    parts["init"] = file_sha256(init.path(META)) if init is not None else None
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def validate(
    net: nn.Module, validation: BoxedImages, config: Config, device: torch.device
) -> dict[str, Any]:
    """mAP on images that were not trained on; nothing when there are none with a box."""
    if not any(len(boxes) for boxes in validation.boxes):
        log.warning("no boxed rows to validate on")
        return {}
    found = find(net, validation.images, config, device)
    truths = zip(validation.boxes, validation.classes, found, strict=True)
    map50, map50_95 = mean_average_precision(
        [
            ImageBoxes(boxes, classes, one.boxes, one.classes, one.scores)
            for boxes, classes, one in truths
        ]
    )
    return {"val_map50": map50, "val_map50_95": map50_95, "val_rows": len(validation)}
