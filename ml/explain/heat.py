"""Heat maps of image-classifying networks (classifier, variation): where a model sees a label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import nn

from ml import models
from ml.artifact import Artifact
from ml.errors import InputError
from ml.explain.attribution import integrated_gradients
from ml.explain.target import choose
from ml.images import Placement, letterbox
from ml.models.augment import normalise, to_input
from ml.models.net_predictor import NetPredictor

BATCH = 32


@dataclass(frozen=True)
class Heat:
    """Where a model sees a label in an image.

    Attributes:
        label, score: the label and its calibrated probability.
        map: float32 [h, w] in the image's own pixels: 1 where most speaks for the label, 0 where
            nothing does (everywhere, if nothing does anywhere).
    """

    label: str
    score: float
    map: np.ndarray


def explain_images(
    artifact: Artifact, images: Sequence[Image.Image], label: str | None = None
) -> list[np.ndarray]:
    """The maps of `Heat` of RGB images of any size, for `label`, or for each image's best brand or
    arrangement.

    Raises:
        InputError: the model does not know the label, or is not one that classifies images.
    """
    predictor = models.load(artifact)
    if not isinstance(predictor, NetPredictor):
        raise InputError(f"a {artifact.kind} has no heat maps: a classifier or variation model has")
    return [heat.map for heat in find_heat(predictor, images, label)]


def find_heat(
    predictor: NetPredictor, images: Sequence[Image.Image], label: str | None = None
) -> list[Heat]:
    """As `explain_images`, of a loaded model, with labels and scores."""
    found: list[Heat] = []
    for start in range(0, len(images), BATCH):
        found += _of_batch(predictor, images[start : start + BATCH], label)
    return found


def _of_batch(
    predictor: NetPredictor, images: Sequence[Image.Image], label: str | None
) -> list[Heat]:
    scores = predictor.predict(images).probabilities
    assert scores is not None  # noqa: S101 — these models always say it
    classes = [choose(row, predictor.labels, label) for row in scores]
    inputs = to_inputs(predictor, images)
    outputs = torch.tensor([predictor.output_of(k) for k in classes], device=inputs.device)
    maps = find_maps(predictor.net, inputs, outputs)
    return [
        Heat(predictor.labels[k], float(row[k]), onto_image(square, image))
        for k, row, square, image in zip(classes, scores, maps, images, strict=True)
    ]


def to_inputs(predictor: NetPredictor, images: Sequence[Image.Image]) -> torch.Tensor:
    """What the network reads of images, [n, 3, s, s]."""
    squares = np.stack([letterbox(image, predictor.side) for image in images])
    return normalise(to_input(torch.from_numpy(squares).to(predictor.device)))


def find_maps(net: nn.Module, inputs: torch.Tensor, classes: torch.Tensor) -> np.ndarray:
    """What speaks for each input's class, float32 [n, s, s], 0 and above.

    Args:
        inputs: [n, 3, s, s].
        classes: int64 [n], of the network's outputs.
    """
    gradients = integrated_gradients(net, inputs, classes).float().cpu().numpy()
    # Single pixels say little: neighbours' are of both signs.
    reach = inputs.shape[-1] / 40
    return np.maximum(gaussian_filter(gradients, (0, reach, reach)), 0)


def onto_image(square: np.ndarray, image: Image.Image) -> np.ndarray:
    """The part of a letterboxed map [s, s] that the image fills, in the image's pixels, 0..1."""
    part = square[Placement.of(*image.size, len(square)).slices]
    heat = np.asarray(Image.fromarray(part).resize(image.size, Image.Resampling.BILINEAR))
    return heat / max(float(heat.max()), np.finfo(np.float32).tiny)
