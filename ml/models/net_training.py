"""Training of image-classifying networks: what the classifier and the variation model share."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ml.artifact import META, Artifact, code_version, file_sha256, write_artifact
from ml.manifest import Manifest
from ml.models.augment import augment, mix_up, normalise, to_input
from ml.models.backbone import WEIGHTS, make_net, save_weights, warm_start
from ml.models.base import ShouldStop
from ml.models.calibration import fit_temperature, negative_log_likelihood
from ml.models.config import NetConfig
from ml.models.fitting import Fitting, Schedule, remove_checkpoint
from ml.models.net_predictor import forward
from ml.models.outputs import normalised
from ml.models.samples import Samples, balanced_epoch
from ml.progress import Progress

log = logging.getLogger(__name__)

# From embeddings [n, d] of squares [n, s, s, 3] to entries of the calibration and of the metrics.
Embed = Callable[[np.ndarray], np.ndarray]
Probe = Callable[[Embed], tuple[dict[str, Any], dict[str, Any]]]


def train_net(
    *,
    kind: str,
    config: NetConfig,
    labels: list[str],
    balance: float,
    samples: Samples,
    validation: Samples,
    manifest: Manifest,
    out: Path,
    init: Artifact | None,
    device: torch.device,
    progress: Progress,
    should_stop: ShouldStop,
    probe: Probe | None = None,
) -> Artifact:
    """Fit, calibrate on `validation`, and write the artifact.

    Args:
        config: with its preset filled in.
        balance: see `balanced_epoch`.
        probe: what else the trained network's features are to tell.
    """
    torch.manual_seed(config.seed)
    net = make_net(config, len(labels))
    if init is not None:
        warm_start(net, init, labels)
    schedule = _schedule(config, rows=len(samples), warm=init is not None)
    fitting = Fitting(
        net.to(device), schedule, out=out, identity=_identity(kind, config, manifest, init)
    )
    batches = _Batches(samples, config, balance=balance, steps=schedule.steps, device=device)
    out.mkdir(parents=True, exist_ok=True)
    with progress.part(0.05, 0.95) as part:
        net = fitting.run(batches.loss, progress=part, should_stop=should_stop)
    temperature, metrics = _validate(net, validation, device)
    progress.report("calibrate", 0.98, **metrics)
    calibration: dict[str, Any] = {"temperature": temperature}
    if probe is not None:
        told, measured = probe(lambda squares: normalised(forward(net, squares, device)[1]))
        calibration, metrics = calibration | told, metrics | measured
    save_weights(net, out)
    artifact = Artifact(
        kind=kind,
        labels=labels,
        config=asdict(config),
        manifest_sha256=manifest.sha256,
        code_version=code_version(),
        metrics=metrics | {"rows": len(samples), "steps": schedule.steps},
        calibration=calibration,
        files={WEIGHTS: ""},
    )
    written = write_artifact(artifact, out)
    remove_checkpoint(out)
    return written


def _schedule(config: NetConfig, *, rows: int, warm: bool) -> Schedule:
    epochs = config.warm_epochs if warm else config.epochs
    rate = config.warm_learning_rate if warm else config.learning_rate
    assert epochs and rate and config.batch_size  # noqa: S101 — filled by the preset
    epoch_steps = -(-rows // config.batch_size)
    least = config.least_steps // 2 if warm else config.least_steps
    return Schedule(
        steps=max(epochs, -(-least // epoch_steps)) * epoch_steps,
        epoch_steps=epoch_steps,
        learning_rate=rate,
        weight_decay=config.weight_decay,
        warmup=config.warmup,
        ema=config.ema,
        seed=config.seed,
        checkpoint_seconds=config.checkpoint_seconds,
    )


def _identity(kind: str, config: NetConfig, manifest: Manifest, init: Artifact | None) -> str:
    """A hash of all that decides what a training ends with, but not of how it is run."""
    settings = asdict(config)
    for name in ("threads", "device", "bfloat16", "checkpoint_seconds"):
        del settings[name]
    parts: dict[str, Any] = {"kind": kind, "config": settings, "manifest": manifest.sha256}
    parts["init"] = file_sha256(init.path(META)) if init is not None else None
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Batches:
    """The loss of any step, from (seed, step) alone."""

    def __init__(
        self,
        samples: Samples,
        config: NetConfig,
        *,
        balance: float,
        steps: int,
        device: torch.device,
    ) -> None:
        self._images = torch.from_numpy(samples.images).to(device)
        self._targets = torch.from_numpy(samples.targets).to(device)
        self._excluded = torch.from_numpy(samples.excluded).to(device)
        self._classes = np.where(samples.targets.any(axis=1), samples.targets.argmax(axis=1), -1)
        self._config, self._balance, self._device = config, balance, device
        self._steps = steps
        self._epoch, self._order = -1, np.empty(0, int)

    def loss(self, net: nn.Module, step: int) -> Tensor:
        rows = torch.from_numpy(self._rows(step)).to(self._device)
        images = to_input(self._images[rows])
        images = normalise(augment(images, self._config, size=self._size(step)))
        targets, excluded = self._targets[rows], self._excluded[rows]
        if self._config.mixup:
            images, targets, excluded = mix_up(
                images, targets, excluded, strength=self._config.mixup
            )
        with torch.autocast(self._device.type, torch.bfloat16, enabled=bool(self._config.bfloat16)):
            logits = net(images)
        return partial_label_loss(
            logits.float(),
            targets,
            excluded,
            smoothing=self._config.label_smoothing,
        )

    def _size(self, step: int) -> int:
        """The input's side at this step, a multiple of 16."""
        last = self._config.size or 0
        first = self._config.start_size or last
        grown = min(1.0, 2 * step / self._steps)
        return min(last, round((first + (last - first) * grown) / 16) * 16)

    def _rows(self, step: int) -> np.ndarray:
        size = self._config.batch_size or 1
        epoch, within = divmod(step, -(-len(self._classes) // size))
        if epoch != self._epoch:
            rng = np.random.default_rng([self._config.seed, epoch])
            order = balanced_epoch(self._classes, self._balance, rng)
            self._epoch, self._order = (
                epoch,
                np.resize(order, -(-len(self._classes) // size) * size),
            )
        return self._order[within * size : (within + 1) * size]


def partial_label_loss(
    logits: Tensor, targets: Tensor, excluded: Tensor, *, smoothing: float
) -> Tensor:
    """Mean over rows of the cross-entropy to the smoothed targets plus, for every class a row
    rules out, the partial negative loss −log(1 − p).

    Args:
        logits: [n, k].
        targets: [n, k], rows sum to 1, or to 0 where the class is unknown.
        excluded: bool [n, k].
    """
    log_p = F.log_softmax(logits, dim=1)
    known = targets.sum(dim=1, keepdim=True)
    smoothed = targets * (1 - smoothing) + smoothing * known / logits.shape[1]
    positive = -(smoothed * log_p).sum(dim=1)
    # 1 − p below 1e-6 has no usable gradient in float32.
    negative = -torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))
    return (positive + (negative * excluded).sum(dim=1)).mean()


def _validate(
    net: nn.Module, validation: Samples, device: torch.device
) -> tuple[float, dict[str, Any]]:
    """The fitted temperature, and accuracy and likelihood on the rows it was fitted on."""
    if not len(validation):
        log.warning("no rows to calibrate on: scores stay raw")
        return 1.0, {}
    logits, _ = forward(net, validation.images, device)
    targets = validation.targets.argmax(axis=1)
    temperature = fit_temperature(logits, targets)
    return temperature, {
        "val_accuracy": float(np.mean(logits.argmax(axis=1) == targets)),
        "val_nll": negative_log_likelihood(logits, targets, temperature),
        "val_rows": len(validation),
    }
