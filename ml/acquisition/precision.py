"""A brand's precision at its operating threshold, from random probes alone, and what follows for
the budget."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv  # scipy.stats takes 1.5 s to import

from ml.errors import InputError

LEAST_FLAGGED = 5  # flags; a brand with fewer costs reviewers nothing worth a label
PRIOR_STRENGTH = 4.0  # probes; a brand seen twice stays near the mean of all


@dataclass(frozen=True)
class Precision:
    """Posterior of each brand's precision: mean and central interval, (brands,) each."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def brand_precision(hits: np.ndarray, draws: np.ndarray, level: float = 0.9) -> Precision:
    """Beta-binomial posterior, shrunk to the mean of all brands' probes (empirical Bayes;
    Gelman et al., Bayesian Data Analysis, section 5.1), so that a brand probed twice is not
    mistaken for a bad one.

    Args:
        hits: (brands,) probes that did show the brand.
        draws: (brands,) probes answered.
        level: mass of the interval.

    Raises:
        InputError: counts that cannot be.
    """
    hits, draws = np.asarray(hits, dtype=float), np.asarray(draws, dtype=float)
    if (hits < 0).any() or (hits > draws).any():
        raise InputError("probe hits must lie between 0 and the draws")
    # Laplace's rule keeps the common mean off 0 and 1.
    common = (hits.sum() + 1.0) / (draws.sum() + 2.0)
    a = hits + PRIOR_STRENGTH * common
    b = draws - hits + PRIOR_STRENGTH * (1.0 - common)
    tail = (1.0 - level) / 2
    return Precision(mean=a / (a + b), low=betaincinv(a, b, tail), high=betaincinv(a, b, 1 - tail))


def allocate_budget(
    precision: np.ndarray,
    flagged: np.ndarray,
    budget: int,
    *,
    target: float = 0.9,
    least_flagged: int = LEAST_FLAGGED,
) -> np.ndarray:
    """Share a budget among low-precision brands, in proportion to the false alarms each is
    expected to raise. The article's section 3.1: brands that are precise already get none (more
    negatives would cost recall), nor do brands that are hardly ever flagged.

    Args:
        precision: (brands,) posterior means.
        flagged: (brands,) pool images over each brand's threshold.
        budget: items to share.

    Returns:
        (brands,) whole numbers, at most `flagged` each and `budget` together.
    """
    precision, flagged = np.asarray(precision, dtype=float), np.asarray(flagged)
    needy = (precision < target) & (flagged >= least_flagged)
    weight = np.where(needy, (1.0 - precision) * flagged, 0.0)
    shares = np.zeros(len(weight), dtype=int)
    while (left := budget - shares.sum()) > 0 and weight.sum() > 0:
        exact = left * weight / weight.sum()
        step = np.floor(exact).astype(int)
        if step.sum() == 0:  # largest remainders
            step[np.argsort(-exact, kind="stable")[:left]] = 1
            step[weight == 0] = 0
        shares = np.minimum(shares + step, flagged)
        weight[shares >= flagged] = 0.0
    return shares


def equal_shares(available: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Share a budget evenly; what one cannot use goes to the others, and a remainder too small to
    share is drawn by lot.

    Args:
        available: (k,) the most each can use.

    Returns:
        (k,) whole numbers, `min(budget, available.sum())` together.
    """
    shares = np.zeros(len(available), dtype=int)
    while (left := budget - int(shares.sum())) > 0 and (shares < available).any():
        hungry = np.flatnonzero(shares < available)
        if left < len(hungry):
            shares[rng.permutation(hungry)[:left]] += 1
        else:
            each = left // len(hungry)
            shares[hungry] = np.minimum(shares[hungry] + each, available[hungry])
    return shares
