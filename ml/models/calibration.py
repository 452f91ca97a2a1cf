"""Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks")."""

import numpy as np

TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5.0), 161))


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Row-wise probabilities, float32 [n, k]."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    raised = np.exp(scaled)
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def negative_log_likelihood(logits: np.ndarray, targets: np.ndarray, temperature: float) -> float:
    """Mean of −log p(target). logits [n, k], targets [n] class indices."""
    scaled = logits.astype(np.float64) / temperature
    top = scaled.max(axis=1)
    log_sum = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    return float(np.mean(log_sum - scaled[np.arange(len(targets)), targets]))


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature in [0.2, 5] (2% steps) of the lowest negative log likelihood.

    A grid is enough for one bounded parameter and cannot diverge on a separable set.
    """
    losses = [negative_log_likelihood(logits, targets, t) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])
