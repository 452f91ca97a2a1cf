"""A detector of brands it was never trained on: a class-agnostic one finds logos, and each is given
to the enrolled brand whose crops it resembles most (nearest neighbour by cosine), or to none, where
it resembles more what is known to be something else."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image
from safetensors.numpy import load_file
from scipy.special import expit

from ml.artifact import Artifact, read_artifact
from ml.images import Placement, cut_out
from ml.models.base import Box, Predictions, SquarePredictor
from ml.models.classifier import load as load_embedder
from ml.models.net_predictor import NetPredictor
from ml.models.yolo.predictor import BoxPredictor

FINDER, EMBEDDER = "finder", "embedder"  # folders of an enrolled detector, each a whole artifact
# `embeddings` [n, d] and `brands` [n]: places in the labels, −1 of what is known to be another's.
CROPS = "crops.safetensors"
BATCH = 64
FINENESS = 2


class EnrolledPredictor(SquarePredictor):
    """The detector in an artifact of `ml.enrolment.enrol`. It looks at squares FINENESS times as
    large as its finder's, so that crops are as sharp as those that were enrolled."""

    def __init__(self, artifact: Artifact) -> None:
        self.kind, self.labels = artifact.kind, artifact.labels
        self._finder = BoxPredictor(read_artifact(artifact.path(FINDER), kind="detector"))
        self.side = FINENESS * self._finder.side
        self._embedder = load_embedder(read_artifact(artifact.path(EMBEDDER), kind="classifier"))
        crops = load_file(artifact.path(CROPS))
        self._crops, self._brands = crops["embeddings"], crops["brands"]
        self._slope, self._offset = (artifact.calibration[name] for name in ("slope", "offset"))

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """Boxes in pixels of each image, best first. A score is the detector's that a logo is
        there, times the chance that it is the brand's."""
        found = self._finder.predict_squares(_shrunk(squares), sizes).found_boxes
        crops = [
            cut_out(Image.fromarray(square), corners)
            for square, size, boxes in zip(squares, sizes, found, strict=True)
            for corners in _in_square(boxes, size, self.side)
        ]
        brands, cosines = nearest(embeddings(self._embedder, crops), self._crops, self._brands)
        chances = expit(self._slope * cosines + self._offset)
        told = iter(zip(brands, chances.tolist(), strict=True))
        named = [
            [
                replace(box, brand=self.labels[brand], score=box.score * chance)
                for box, (brand, chance) in zip(boxes, told, strict=False)
                if brand >= 0
            ]
            for boxes in found
        ]
        return Predictions(boxes=[sorted(boxes, key=lambda box: -box.score) for boxes in named])


def _shrunk(squares: np.ndarray) -> np.ndarray:
    """uint8 [n, s, s, 3] to [n, s / FINENESS, s / FINENESS, 3], by the mean of pixels."""
    n, side = squares.shape[:2]
    small = side // FINENESS
    parts = squares.reshape(n, small, FINENESS, small, FINENESS, 3)
    return np.asarray(np.rint(parts.mean(axis=(2, 4))).astype(np.uint8))


def _in_square(
    boxes: Sequence[Box], size: tuple[int, int], side: int
) -> list[tuple[float, float, float, float]]:
    """Corners in pixels of the letterboxed square, of boxes in pixels of the image."""
    corners = np.array([(b.x1, b.y1, b.x2, b.y2) for b in boxes], np.float32).reshape(-1, 4)
    return [tuple(found) for found in Placement.of(*size, side).into(corners).tolist()]


def embeddings(embedder: NetPredictor, crops: Sequence[Image.Image]) -> np.ndarray:
    """float32 [n, d], rows of length 1; [0, 0] of no crops."""
    parts = [
        embedder.predict(crops[start : start + BATCH]).embeddings
        for start in range(0, len(crops), BATCH)
    ]
    return np.concatenate([p for p in parts if p is not None]) if parts else np.zeros((0, 0))


def nearest(
    wanted: np.ndarray, known: np.ndarray, brands: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each row of `wanted` [m, d] the brand of the row of `known` [n, d] with the highest
    cosine, and that cosine: [m] and [m]. Rows have length 1."""
    if not len(wanted):
        return np.zeros(0, int), np.zeros(0)
    cosines = wanted @ known.T
    best = cosines.argmax(axis=1)
    return brands[best], cosines[np.arange(len(wanted)), best]
