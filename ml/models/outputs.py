"""From a classifying network's outputs to predictions, whatever ran it."""

import numpy as np

from ml.models.attacks import AttackProbe
from ml.models.base import Predictions
from ml.models.calibration import softmax


def classified(
    logits: np.ndarray,
    features: np.ndarray,
    temperature: float,
    attacks: AttackProbe | None = None,
) -> Predictions:
    """
    Args:
        logits: [n, k].
        features: [n, d], penultimate.
        temperature: divides the logits.
        attacks: reads the features; without one nothing is said of them.
    """
    embeddings = normalised(features)
    chances = None if attacks is None else attacks.chances(embeddings)
    return Predictions(softmax(logits, temperature), embeddings, chances)


def normalised(features: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(length, 1e-12)
