"""A share estimated from a stratified random sample, e.g. the precision of what was flagged."""

import numpy as np

from ml.errors import InputError
from ml.evaluate.intervals import Figure, wilson_share

LEAST = 2  # draws a stratum: from one its spread cannot be told


def stratified_share(hits: np.ndarray, draws: np.ndarray, sizes: np.ndarray) -> Figure | None:
    """Share of hits where the rows come from, like the open set from what is online, by a random
    sample of each stratum of the rows; None of no rows.

    The estimate weighs each stratum's share by its size, so it is unbiased however the draws were
    allotted (two-phase sampling: Cochran, Sampling Techniques, 1977, section 12.2). The interval is
    Wilson's on the effective number of draws (Korn & Graubard, Survey Methodology 24, 1998), taken
    as no more than a plain sample of the same size would have: from a few draws, strata look purer
    than they are.

    Args:
        hits, draws, sizes: [h] hits among the draws, rows drawn, and rows of each stratum.

    Raises:
        InputError: a stratum with rows was not drawn from, or counts that cannot be.
    """
    hits, draws, sizes = (np.asarray(x, float) for x in (hits, draws, sizes))
    if (hits < 0).any() or (hits > draws).any() or (draws > sizes).any():
        raise InputError("a stratum's hits lie between 0 and its draws, and these within its size")
    if ((draws == 0) & (sizes > 0)).any():
        raise InputError("a stratum that has rows was not drawn from")
    kept = sizes > 0
    hits, draws, sizes = hits[kept], draws[kept], sizes[kept]
    if not len(sizes):
        return None
    weights, shares = sizes / sizes.sum(), hits / draws
    share = float(weights @ shares)
    variance = _variance(share, shares, draws, sizes)
    total = int(draws.sum())
    cases = min(total, share * (1 - share) / variance) if variance > 0 else total
    return wilson_share(share, max(cases, 1.0), n=total)


def _variance(share: float, shares: np.ndarray, draws: np.ndarray, sizes: np.ndarray) -> float:
    """Of the estimate: from drawing inside the strata, and from the rows that the strata hold."""
    weights = sizes / sizes.sum()
    # Of a single draw the spread is unknown: that of all rows stands in.
    own = shares * (1 - shares) * draws / np.maximum(draws - 1, 1)
    within = np.where(draws > 1, own, share * (1 - share))
    inside = float((weights**2 * within * (1 / draws - 1 / sizes)).sum())
    total = float(weights @ (within * (1 - 1 / sizes) + (shares - share) ** 2))
    return inside + total / sizes.sum()
