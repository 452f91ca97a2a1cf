"""Recall and flag ratio: pure functions of score arrays. Scores [n, k] are of brands only, without
the background; thresholds [k] are one a brand."""

import numpy as np


def flagged(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """bool [n]: the highest score is above its brand's threshold."""
    if scores.shape[1] == 0:
        return np.zeros(len(scores), bool)
    top = scores.argmax(axis=1)
    return np.asarray(scores[np.arange(len(scores)), top] > thresholds[top])


def hits(scores: np.ndarray, brands: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """bool [n]: the row's brand has the highest score, and that is above its threshold.

    Args:
        brands: [n] column of the row's brand; −1 where the model does not know it (never a hit).
    """
    if scores.shape[1] == 0:
        return np.zeros(len(scores), bool)
    top = scores.argmax(axis=1)
    return (top == brands) & (scores[np.arange(len(scores)), top] > thresholds[top])


def common_threshold(scores: np.ndarray, ratio: float) -> float:
    """The lowest single threshold at which at most `ratio` of the rows are flagged.

    Args:
        scores: [n, k] of the rows it is fitted on.
    """
    best = np.sort(scores.max(axis=1))[::-1]
    allowed = int(np.floor(ratio * len(best)))
    return float(best[allowed]) if allowed < len(best) else 0.0


def recall_by_brand(hit: np.ndarray, brands: np.ndarray) -> dict[str, dict[str, float | int]]:
    """{brand: {"recall", "n"}} of the rows' hits; brands [n] are keys."""
    return {
        str(brand): {
            "recall": float(hit[brands == brand].mean()),
            "n": int((brands == brand).sum()),
        }
        for brand in np.unique(brands)
    }


def mean_recall(by_brand: dict[str, dict[str, float | int]]) -> float:
    """Mean over brands of each brand's recall: a rare brand counts as much as a frequent one."""
    return float(np.mean([figures["recall"] for figures in by_brand.values()]))
