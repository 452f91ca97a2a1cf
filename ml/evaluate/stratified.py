"""A share estimated from a stratified random sample, e.g. the precision of what was flagged."""

import numpy as np

from ml.errors import InputError
from ml.evaluate.intervals import Figure, wilson_share

LEAST = 2  # draws a stratum: from one its spread cannot be told


def allocate(sizes: np.ndarray, budget: int, *, least: int = LEAST) -> np.ndarray:
    """Draws for each stratum, int [h]: `least` each (or all it has), the rest in proportion to
    size. At most `sizes`; more than `budget` only where the least of all strata is more.

    Args:
        sizes: [h] rows of each stratum.
    """
    sizes = np.asarray(sizes, int)
    draws = np.minimum(sizes, least)
    while (left := budget - int(draws.sum())) > 0 and (draws < sizes).any():
        room = np.where(draws < sizes, sizes, 0)
        exact = left * room / room.sum()
        step = np.floor(exact).astype(int)
        if not step.any():  # largest remainders
            step[np.argsort(-exact, kind="stable")[:left]] = 1
        draws = np.minimum(draws + np.where(room > 0, step, 0), sizes)
    return draws


def draw(strata: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of a stratified random sample without replacement, sorted.

    Args:
        strata: [n] key of each row's stratum, e.g. its brand or the band of its score.
    """
    keys, place = np.unique(strata, return_inverse=True)
    draws = allocate(np.bincount(place, minlength=len(keys)), budget)
    chosen = [
        rng.choice(np.flatnonzero(place == h), count, replace=False)
        for h, count in enumerate(draws)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, int)


def stratified_share(
    hits: np.ndarray, draws: np.ndarray, sizes: np.ndarray, *, finite: bool = False
) -> Figure | None:
    """Share of hits among all rows, from a random sample of each stratum; None of no rows.

    The estimate weighs each stratum's share by its size, so it is unbiased however the draws were
    allotted (Cochran, Sampling Techniques, 1977, section 5.3). With `finite` the rows are all that
    is asked about, and a full sample leaves no doubt; otherwise they are themselves a random
    sample of something endless, like the open set of what is online (two-phase sampling, section
    12.2). The interval is Wilson's on the effective number of draws (Korn & Graubard, Survey
    Methodology 24, 1998), taken as no more than a plain sample of the same size would have: from a
    few draws, strata look purer than they are.

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
    variance = _variance(share, shares, draws, sizes, finite=finite)
    total, rows = int(draws.sum()), int(sizes.sum())
    if finite and total == rows:
        return Figure(share, share, share, total)
    most = total / (1 - total / rows) if finite else total
    cases = min(most, share * (1 - share) / variance) if variance > 0 else most
    return wilson_share(share, max(cases, 1.0), n=total)


def _variance(
    share: float, shares: np.ndarray, draws: np.ndarray, sizes: np.ndarray, *, finite: bool
) -> float:
    """Of the estimate: from drawing inside the strata and, unless `finite`, from the strata."""
    weights = sizes / sizes.sum()
    # Of a single draw the spread is unknown: that of all rows stands in.
    own = shares * (1 - shares) * draws / np.maximum(draws - 1, 1)
    within = np.where(draws > 1, own, share * (1 - share))
    inside = float((weights**2 * within * (1 / draws - 1 / sizes)).sum())
    if finite:
        return inside
    total = float(weights @ (within * (1 - 1 / sizes) + (shares - share) ** 2))
    return inside + total / sizes.sum()
