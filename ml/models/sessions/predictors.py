"""Prediction with exported networks, in the form of the originals."""

from collections.abc import Sequence

import numpy as np

from ml.artifact import Artifact
from ml.models.attacks import probe_of
from ml.models.base import Predictions, SquarePredictor
from ml.models.looks import ARRANGEMENTS, JOINT, as_arrangements
from ml.models.outputs import classified
from ml.models.sessions.runtimes import MODEL, open_session
from ml.models.suppression import Keep, image_boxes, suppress


class ClassSession(SquarePredictor):
    """Class probabilities and embeddings: a classifier."""

    def __init__(self, artifact: Artifact) -> None:
        self.kind, self.labels = artifact.kind, artifact.labels
        self.side = int(artifact.config["size"])
        self._run = open_session(artifact.path(MODEL))
        self._temperature = float(artifact.calibration.get("temperature", 1.0))
        self._attacks = probe_of(artifact.calibration)

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """See `ml.models.base.Predictor`."""
        logits, features = self._run(squares)
        return classified(logits, features, self._temperature, self._attacks)


class VariationSession(ClassSession):
    """The three arrangements: a variation model, with or without look."""

    def __init__(self, artifact: Artifact) -> None:
        super().__init__(artifact)
        self.look, self.labels = self.labels == JOINT, ARRANGEMENTS

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """See `ml.models.base.Predictor`."""
        found = super().predict_squares(squares, sizes)
        return as_arrangements(found) if self.look else found


class BoxSession(SquarePredictor):
    """Boxes: a detector."""

    def __init__(self, artifact: Artifact) -> None:
        self.kind, self.labels = artifact.kind, artifact.labels
        self.side = int(artifact.config["size"])
        self._keep = Keep.of(artifact.config)
        self._run = open_session(artifact.path(MODEL))

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """See `ml.models.base.Predictor`."""
        (outputs,) = self._run(squares)
        return Predictions(
            boxes=[
                image_boxes(suppress(output, self._keep), size, self.side, self.labels)
                for output, size in zip(outputs, sizes, strict=True)
            ]
        )


SESSIONS: dict[str, type[ClassSession] | type[BoxSession]] = {
    "classifier": ClassSession,
    "variation": VariationSession,
    "detector": BoxSession,
}


def load(artifact: Artifact) -> ClassSession | BoxSession:
    """See `ml.models.base`."""
    return SESSIONS[artifact.kind](artifact)
