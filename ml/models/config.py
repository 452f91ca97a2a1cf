"""Configuration that the image-classifying models share, and its presets by device."""

from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ml.artifact import Artifact
from ml.errors import InputError

C = TypeVar("C", bound="NetConfig")


@dataclass(frozen=True)
class NetConfig:
    """A timm network and how it is trained. A field left None takes the device's preset.

    Attributes:
        backbone, backbone_args: timm model name and extra arguments of `timm.create_model`.
        weights: safetensors file of backbone weights; random initial weights when None.
        size: side of the square input, pixels.
        detail: side of the images held in memory for training, over `size`: crops stay sharp.
        start_size: side of the input in the first epochs, growing to `size` by the middle one;
            small images teach nearly as much an epoch at a fraction of the time.
        epochs, warm_epochs: passes over the training rows, from random weights or from `--init`.
        least_steps: as many more passes are made as it takes to reach so many batches (half as
            many from `--init`): a few hundred images need more passes than thousands.
        warmup: share of all steps during which the learning rate rises to its peak.
        ema: decay of the averaged weights that are kept, per step; 0 keeps the last weights.
        crop: smallest share of the image side kept by the random crop.
        shift: largest translation, share of the side.
        rotate: largest rotation, degrees.
        jitter: largest relative change of brightness, contrast and saturation.
        mixup: images are shown mixed in pairs, by shares of Beta(mixup, mixup); 0: none are.
        holdout: share of `train` groups kept for calibration when there are no `val` rows.
        checkpoint_seconds: a checkpoint is written at least this often.
    """

    backbone: str | None = None
    backbone_args: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    size: int | None = None
    detail: float = 1.34
    start_size: int | None = None
    epochs: int | None = None
    warm_epochs: int | None = None
    least_steps: int = 240
    batch_size: int | None = None
    learning_rate: float | None = None
    warm_learning_rate: float | None = None
    bfloat16: bool | None = None
    weight_decay: float = 0.05
    warmup: float = 0.1
    ema: float = 0.0
    label_smoothing: float = 0.05
    crop: float = 0.75
    shift: float = 0.1
    rotate: float = 5.0
    flip: bool = False
    jitter: float = 0.3
    mixup: float = 0.0
    holdout: float = 0.1
    checkpoint_seconds: float = 10.0
    seed: int = 0
    threads: int | None = None
    device: str = "auto"


def with_preset(config: C, preset: dict[str, Any]) -> C:
    """Fill the fields that are None; arguments of a backbone belong to that backbone only.

    Raises:
        InputError: a value out of its range.
    """
    if config.backbone is not None:
        preset = preset | {"backbone_args": config.backbone_args}
    unset = {
        name: value
        for name, value in preset.items()
        if getattr(config, name) is None or getattr(config, name) == {}
    }
    config = replace(config, **unset)
    _check(config)
    return config


def memory_side(config: NetConfig) -> int:
    """Side of the squares that training holds in memory, pixels."""
    return round((config.size or 0) * config.detail)


def inherited(init: Artifact | None) -> dict[str, Any]:
    """What a warm start takes over from the earlier model unless configured otherwise."""
    if init is None:
        return {}
    return {name: init.config[name] for name in ("backbone", "backbone_args", "size")}


def _check(config: NetConfig) -> None:
    for name in ("size", "epochs", "warm_epochs", "batch_size", "learning_rate"):
        if getattr(config, name) <= 0:
            raise InputError(f"config: {name} must be above 0")
    for name in ("holdout", "label_smoothing", "ema", "warmup", "shift"):
        if not 0 <= getattr(config, name) < 1:
            raise InputError(f"config: {name} must be at least 0 and below 1")
    if config.mixup < 0:
        raise InputError("config: mixup must be at least 0")
    if not 0 < config.crop <= 1:
        raise InputError("config: crop must be above 0 and at most 1")
