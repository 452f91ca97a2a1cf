"""From a classifying network's outputs to predictions, whatever ran it."""

import numpy as np

from ml.models.base import Predictions
from ml.models.calibration import softmax


def classified(logits: np.ndarray, features: np.ndarray, temperature: float) -> Predictions:
    """
    Args:
        logits: [n, k].
        features: [n, d], penultimate.
        temperature: divides the logits.
    """
    return Predictions(softmax(logits, temperature), normalised(features))


def normalised(features: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(length, 1e-12)
