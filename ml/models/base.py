"""The one interface of all models.

A model is a module with

- `Config`: a frozen dataclass, every field with a default (`--config` fills it by `parse_config`),
- `train(*, config, manifest, out, init, progress, should_stop) -> Artifact`,
- `load(artifact) -> Predictor`, or a `TitlePredictor` where it reads titles and not images, or a
  `FusionPredictor` where it reads what other models say.

`train` is seeded by `config.seed` and resumable: it keeps a checkpoint in `out`, and called again
with the same arguments it goes on from there and ends like an undisturbed run. It asks
`should_stop()` at least once a second or so; once true, it writes the checkpoint and raises
`Cancelled`. `init` is an earlier artifact of the same kind whose weights are a warm start; its
class list may differ. Bad input is one `InputError`, raised before anything is written.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_type_hints, runtime_checkable

import numpy as np
from PIL import Image

from ml.artifact import Artifact
from ml.errors import InputError
from ml.images import letterbox
from ml.manifest import Manifest
from ml.progress import Progress

ShouldStop = Callable[[], bool]
C = TypeVar("C")


@dataclass(frozen=True)
class Box:
    """A found region, in pixels of the image as given to `predict`."""

    x1: float
    y1: float
    x2: float
    y2: float
    brand: str
    score: float


@dataclass(frozen=True)
class Predictions:
    """What a model says about a batch of n images or titles. What it does not say is None.

    Attributes:
        probabilities: (n, len(labels)) float32, calibrated, rows sum to 1.
        embeddings: (n, d) float32, L2-normalised.
        attacks: (n, len(ATTACKS)) float32, the chances that the brand's mark, if there is one, is
            smeared or covered, or a knock-off's (`ml.models.attacks`); NaN for what is not told.
        boxes: for each image its boxes, best first; None where a cascade left the image out, which
            is not the same as no boxes.
    """

    probabilities: np.ndarray | None = None
    embeddings: np.ndarray | None = None
    attacks: np.ndarray | None = None
    boxes: list[list[Box] | None] | None = None

    @property
    def found_boxes(self) -> list[list[Box]]:
        """The boxes of each image; no boxes of one that was left out."""
        return [found or [] for found in self.boxes or ()]

    @staticmethod
    def join(batches: "Sequence[Predictions]") -> "Predictions":
        """One model's batches as one."""
        arrays = {
            name: np.concatenate([getattr(batch, name) for batch in batches])
            for name in ("probabilities", "embeddings", "attacks")
            if batches and getattr(batches[0], name) is not None
        }
        boxes = [found for batch in batches for found in batch.boxes or ()]
        has_boxes = bool(batches) and batches[0].boxes is not None
        return Predictions(**arrays, boxes=boxes if has_boxes else None)


@runtime_checkable
class Predictor(Protocol):
    """A trained model of images in memory.

    Attributes:
        side: of the square that it looks at, pixels.
    """

    kind: str
    labels: list[str]
    side: int

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """Score one batch, on one thread; several threads may call it at once.

        Args:
            squares: uint8 [n, side, side, 3], letterboxed RGB.
            sizes: width and height of each whole image, pixels; boxes are told in these.
        """
        ...

    def predict(self, images: Sequence[Image.Image]) -> Predictions:
        """Score RGB images of any size, in one batch, in their order."""
        ...


class SquarePredictor(ABC):
    """What predictors of images share."""

    side: int

    @abstractmethod
    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """See `Predictor`."""

    def predict(self, images: Sequence[Image.Image]) -> Predictions:
        """See `Predictor`."""
        squares = np.empty((len(images), self.side, self.side, 3), np.uint8)
        for i, image in enumerate(images):
            squares[i] = letterbox(image, self.side)
        return self.predict_squares(squares, [image.size for image in images])


@runtime_checkable
class TitlePredictor(Protocol):
    """A trained model of product titles in memory."""

    kind: str
    labels: list[str]

    def predict_titles(self, titles: Sequence[str]) -> Predictions:
        """Score titles in any language, in one batch, in their order; "" where there is none."""
        ...


@runtime_checkable
class FusionPredictor(Protocol):
    """What several models say, made into one.

    Attributes:
        models: by kind, the sha256 of the `meta.json` of each model it was fitted with.
        thresholds: one a brand, for its own scores.
        cascade_floor: see `undecided`; None where it was fitted without a detector.
    """

    kind: str
    labels: list[str]
    models: dict[str, str]
    thresholds: dict[str, float]
    cascade_floor: float | None

    def fuse(
        self,
        predictions: "Mapping[str, Predictions]",
        labels: Mapping[str, Sequence[str]],
        titled: np.ndarray,
    ) -> Predictions:
        """Join one batch.

        Args:
            predictions, labels: of the other models, by kind.
            titled: bool [n]: the item has a title.
        """
        ...

    def undecided(
        self,
        predictions: "Mapping[str, Predictions]",
        labels: Mapping[str, Sequence[str]],
        titled: np.ndarray,
    ) -> np.ndarray:
        """bool [n]: by what all models but the detector say, its boxes could still change what
        becomes of the item: its best brand is less than `cascade_floor` below its threshold."""
        ...


AnyPredictor = Predictor | TitlePredictor | FusionPredictor


class ModelModule(Protocol):
    """What every module of `ml.models.KINDS` offers."""

    Config: ClassVar[type]

    @staticmethod
    def train(
        *,
        config: Any,
        manifest: Manifest,
        out: Any,
        init: Artifact | None,
        progress: Progress,
        should_stop: ShouldStop,
    ) -> Artifact: ...

    @staticmethod
    def load(artifact: Artifact) -> AnyPredictor: ...


def parse_config(cls: type[C], values: Mapping[str, Any]) -> C:
    """Build a config dataclass from JSON values.

    A list becomes a tuple and a whole number a float where the field is one.

    Raises:
        InputError: an unknown key, or a value of the wrong type.
    """
    types = get_type_hints(cls)
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(f"config: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return cls(**{name: _coerce(name, value, types[name]) for name, value in values.items()})


def _coerce(name: str, value: Any, wanted: Any) -> Any:
    options = get_args(wanted) if type(None) in get_args(wanted) else (wanted,)
    for option in options:
        plain = getattr(option, "__origin__", option)
        if plain is tuple and isinstance(value, list):
            return tuple(value)
        if plain is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if isinstance(value, plain) and isinstance(value, bool) == (plain is bool):
            return value
    expected = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise InputError(f"config: {name} must be {expected}, not {value!r}")
