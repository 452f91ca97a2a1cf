"""Which items still need the detector when the cheap models have spoken.

What the others say gives every brand a score without boxes. Where that is far below all thresholds,
boxes hardly ever lift it above one; how far is fitted, on the rows that the fusion is fitted on, by
what it would cost. Items already flagged are looked at all the same: they are few, and people
want to see the boxes.
"""

import numpy as np
from scipy.special import logit

LOSS = 0.0025  # of the mean recall over brands: half a point less what a fit may be off by
EDGE = 1e-12


def margins(scores: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """[n]: how far the brand nearest to its threshold is above it, in logits; negative: below.

    Args:
        scores: [n, k], without the background.
        limits: [k].
    """
    inside, at = (np.clip(values, EDGE, 1 - EDGE) for values in (scores, limits))
    return np.asarray((logit(inside) - logit(at)).max(axis=1))


def fit_floor(margin: np.ndarray, brands: np.ndarray, hit: np.ndarray) -> float:
    """The margin below which the detector need not look: the highest that loses at most `LOSS`,
    and never above 0, so that nothing below it is flagged anyway.

    Args:
        margin: [n] by the other models alone, of rows that show a brand.
        brands: [n] the brand's column.
        hit: bool [n] found when the detector looks too.
    """
    _, place, sizes = np.unique(brands, return_inverse=True, return_counts=True)
    weight = 1 / (sizes[place] * len(sizes))
    order = np.argsort(margin[hit], kind="stable")
    lost = np.cumsum(weight[hit][order])
    kept = margin[hit][order][lost > LOSS]
    return float(min(kept[0], 0.0)) if len(kept) else 0.0
