"""Configuration of the detector: the network, the recipe, and presets by device."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ml.artifact import Artifact
from ml.errors import InputError


@dataclass(frozen=True)
class LossConfig:
    """Which losses, and how much of each.

    Attributes:
        classes: focal | bce.
        boxes: diou | ciou.
        box_gain, class_gain, distance_gain: weights of the box loss, the class loss, and the
            loss of the distances from an anchor point to the box's sides.
        positive: focal loss's weight of positives; of negatives it is 1 − positive.
        gamma: focal loss's exponent.
        smoothing: share of a positive's class target spread over all classes.
    """

    classes: str
    boxes: str
    box_gain: float
    class_gain: float
    distance_gain: float
    positive: float
    gamma: float
    smoothing: float


@dataclass(frozen=True)
class ViewConfig:
    """Chances and strengths, as in Ultralytics' settings of those names.

    Attributes:
        mosaic, mixup, flip: chances.
        translate: largest shift, share of the side.
        scale: an image is shown at 1 − scale … 1 + scale of its size; above 1 it is cropped.
        hue, saturation, value: largest relative changes of colour.
    """

    mosaic: float
    mixup: float
    flip: float
    translate: float
    scale: float
    hue: float
    saturation: float
    value: float

    def without_mixing(self) -> "ViewConfig":
        """The same, of one image each: what a network is shown last."""
        return replace(self, mosaic=0.0, mixup=0.0)


@dataclass(frozen=True)
class Config:
    """A field left None takes the value of its recipe or of the device's preset.

    Attributes:
        net, width, depth: network (see `read_description`) and multipliers of its channels and
            repeats.
        distances: bins of the distance from an anchor point to a box's side, in strides.
        size: side of the square input, pixels; a multiple of the largest stride.
        steps, warm_steps: batches from random weights, or from `--init`.
        passes: as many more batches as it takes to show each picture of an epoch so often (from
            `--init` less, as `warm_steps` are less than `steps`); none more where the steps are
            given and this is not.
        warmup: share of all steps during which the learning rate rises to its peak.
        ema: decay of the averaged weights that are kept, per step; 0 keeps the last weights.
        close: share of all steps, at the end, without mosaic and mix-up.
        background: largest share of images without a box in an epoch.
        recipe: article | plain (Ultralytics' losses and augmentations as they come); each of its
            parts, `classes` … `value`, can be set apart: see LossConfig and ViewConfig.
        score_floor, nms_iou, max_boxes: what `predict` leaves out.
        brands: the brand list; every brand with a training box when None.
        class_agnostic: the boxes of all these brands are one class, `logo`: which brand it is, an
            enrolment says (`ml.enrolment`).
        holdout: share of `train` groups kept for validation when there are no boxed `val` rows.
        checkpoint_seconds: a checkpoint is written at least this often.
    """

    net: str | None = None
    width: float | None = None
    depth: float | None = None
    distances: int | None = None
    size: int | None = None
    steps: int | None = None
    warm_steps: int | None = None
    passes: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    warm_learning_rate: float | None = None
    weight_decay: float = 0.01
    warmup: float = 0.1
    ema: float = 0.98
    close: float = 0.15
    background: float = 0.15
    recipe: str = "article"
    classes: str | None = None
    boxes: str | None = None
    box_gain: float | None = None
    class_gain: float | None = None
    distance_gain: float | None = None
    positive: float | None = None
    gamma: float | None = None
    smoothing: float | None = None
    mosaic: float | None = None
    mixup: float | None = None
    flip: float | None = None
    translate: float | None = None
    scale: float | None = None
    hue: float | None = None
    saturation: float | None = None
    value: float | None = None
    score_floor: float = 0.05
    nms_iou: float = 0.5
    max_boxes: int = 100
    brands: tuple[str, ...] | None = None
    class_agnostic: bool = False
    holdout: float = 0.1
    checkpoint_seconds: float = 10.0
    seed: int = 0
    threads: int | None = None
    device: str = "auto"


PRESETS: dict[str, dict[str, Any]] = {
    "cpu": {
        "net": "csp_small",
        "width": 0.125,
        "depth": 0.33,
        "distances": 8,
        "size": 128,
        "steps": 900,
        "warm_steps": 350,
        "passes": 12,
        "batch_size": 16,
        "learning_rate": 8e-3,
        "warm_learning_rate": 4e-3,
        # In so few steps, mirrored words cost more than they teach.
        "flip": 0.0,
    },
    "cuda": {
        "net": "csp",
        "width": 0.5,
        "depth": 0.33,
        "distances": 16,
        "size": 640,
        "steps": 20000,
        "warm_steps": 5000,
        "passes": 12,
        "batch_size": 32,
        "learning_rate": 1e-3,
        "warm_learning_rate": 5e-4,
    },
}

RECIPES: dict[str, dict[str, Any]] = {
    "article": {
        "classes": "focal",
        "boxes": "diou",
        "box_gain": 7.5,
        # Ultralytics' 0.5 is for plain entropy, of which the focal factor leaves little.
        "class_gain": 8.0,
        "distance_gain": 1.5,
        "positive": 0.7,
        "gamma": 1.5,
        "smoothing": 0.05,
        "mosaic": 1.0,
        "mixup": 0.15,
        "flip": 0.5,
        "translate": 0.2,
        "scale": 0.5,
        "hue": 0.015,
        "saturation": 0.7,
        "value": 0.4,
    },
    "plain": {
        "classes": "bce",
        "boxes": "ciou",
        "box_gain": 7.5,
        "class_gain": 0.5,
        "distance_gain": 1.5,
        "positive": 0.5,
        "gamma": 0.0,
        "smoothing": 0.0,
        "mosaic": 1.0,
        "mixup": 0.0,
        "flip": 0.5,
        "translate": 0.1,
        "scale": 0.5,
        "hue": 0.015,
        "saturation": 0.7,
        "value": 0.4,
    },
}
_CHOICES = {"recipe": tuple(RECIPES), "classes": ("focal", "bce"), "boxes": ("diou", "ciou")}
_POSITIVE = (
    "width", "depth", "distances", "size", "steps", "warm_steps", "batch_size", "learning_rate",
    "warm_learning_rate", "checkpoint_seconds", "max_boxes",
)  # fmt: skip
_SHARES = (
    "holdout", "warmup", "ema", "close", "background", "positive", "smoothing", "mosaic", "mixup",
    "flip", "translate", "scale", "score_floor", "nms_iou",
)  # fmt: skip
_INHERITED = ("net", "width", "depth", "distances", "size")


def filled(config: Config, *, device: str, init: Artifact | None) -> Config:
    """Fill the fields that are None; a warm start keeps the earlier model's network.

    Raises:
        InputError: a value that is not allowed.
    """
    _check_choices(config)
    preset = RECIPES[config.recipe] | PRESETS[device]
    if init is not None:
        preset |= {name: init.config[name] for name in _INHERITED}
    if config.steps or config.warm_steps:
        preset["passes"] = 0
    unset = {name: value for name, value in preset.items() if getattr(config, name) is None}
    config = replace(config, **unset)
    _check_numbers(config)
    return config


def loss_config(config: Config) -> LossConfig:
    return LossConfig(**_taken(config, LossConfig))


def view_config(config: Config) -> ViewConfig:
    return ViewConfig(**_taken(config, ViewConfig))


def _taken(config: Config, cls: type) -> dict[str, Any]:
    values = asdict(config)
    return {field.name: values[field.name] for field in fields(cls)}


def _check_choices(config: Config) -> None:
    for name, allowed in _CHOICES.items():
        value = getattr(config, name)
        if value is not None and value not in allowed:
            raise InputError(f"config: {name} must be {' or '.join(allowed)}, not {value!r}")


def _check_numbers(config: Config) -> None:
    for name in _POSITIVE:
        if getattr(config, name) <= 0:
            raise InputError(f"config: {name} must be above 0")
    if (config.passes or 0) < 0:
        raise InputError("config: passes must not be below 0")
    for name in _SHARES:
        if not 0 <= getattr(config, name) <= 1:
            raise InputError(f"config: {name} must be between 0 and 1")
