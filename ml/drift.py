"""Whether what comes in has changed: scores and embeddings of fresh images against those before.

Each measure has a limit of two parts, of which the larger counts: what chance alone exceeds once
in a thousand samples of this size, and a floor, the smallest change worth a person's look, because
in large samples every difference is more than chance. Rows are taken as independent: give one of a
group of near-duplicates.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, ndtri  # scipy.stats takes 1.5 s to import

from ml.errors import InputError
from ml.evaluate.intervals import Z

LEAST = 100  # rows on either side; of fewer nothing is said
CHANCE = 0.001
BINS = 10
STABILITY_FLOOR = 0.25
SHIFT_FLOOR = 0.1
TOLD_APART_FLOOR = 0.6


@dataclass(frozen=True)
class Drift:
    """A measured change. `n` rows are fresh; `low`, `high`: its 95 % interval, where it has one."""

    value: float
    limit: float
    n: int
    low: float | None = None
    high: float | None = None

    @property
    def is_past_limit(self) -> bool:
        return self.value > self.limit


def stability_index(before: np.ndarray, fresh: np.ndarray, *, least: int = LEAST) -> Drift | None:
    """Population stability index, Σ (f − b) ln (f / b) over ten bins that hold equal shares of
    the scores before; None of too few scores.

    Bins are counted half a row up, so that an empty one does not make it infinite. The floor of
    0.25 is the usual convention for a major shift (Siddiqi, Credit Risk Scorecards, 2006). Without
    any, the index over 1/n + 1/m is about χ² with bins − 1 degrees of freedom (Yurdakul & Naranjo,
    Journal of Risk Model Validation 14, 2020), which gives the limit of small samples.

    Args:
        before, fresh: [m], [n] scores.

    Raises:
        InputError: a score is missing.
    """
    before, fresh = _checked(before), _checked(fresh)
    if min(len(before), len(fresh)) < least:
        return None
    # Scores that repeat, like the 0 of no box, would make bins of no width.
    edges = np.unique(np.quantile(before, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = [
        (np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) + 0.5)
        / (len(side) + 0.5 * (len(edges) + 1))
        for side in (before, fresh)
    ]
    value = float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))
    by_chance = chdtri(len(edges), CHANCE) * (1 / len(before) + 1 / len(fresh))
    return Drift(value, max(STABILITY_FLOOR, float(by_chance)), len(fresh))


def score_shift(before: np.ndarray, fresh: np.ndarray, *, least: int = LEAST) -> Drift | None:
    """Kolmogorov–Smirnov distance: the largest difference of the two cumulative shares; None of
    too few scores.

    The limit of small samples is the asymptotic critical distance, √(−½ ln (α / 2) (1/n + 1/m))
    (Smirnov, Annals of Mathematical Statistics 19, 1948), which errs on the wide side where scores
    repeat. The floor of 0.1: less than a tenth of the images scores otherwise than before.

    Args:
        before, fresh: [m], [n] scores.

    Raises:
        InputError: a score is missing.
    """
    from scipy.stats import ks_2samp

    before, fresh = _checked(before), _checked(fresh)
    if min(len(before), len(fresh)) < least:
        return None
    value = float(ks_2samp(before, fresh, method="asymp").statistic)
    by_chance = math.sqrt(-0.5 * math.log(CHANCE / 2) * (1 / len(before) + 1 / len(fresh)))
    return Drift(value, max(SHIFT_FLOOR, by_chance), len(fresh))


def told_apart(
    before: np.ndarray, fresh: np.ndarray, *, seed: int = 0, least: int = LEAST
) -> Drift | None:
    """How well fresh embeddings can be told from those before: a classifier two-sample test
    (Lopez-Paz & Oquab, ICLR 2017). 0.5 is not at all, 1 is every time; None of too few rows.

    A logistic regression learns the two apart on one half; the value is the area under its ROC
    curve on the other, which is the chance that of one image each it names the fresh one. As it is
    the Mann–Whitney statistic of rows never trained on, its spread without drift is exact, and no
    permutations are needed. The floor of 0.6 is a convention of ours. The interval is Hanley &
    McNeil's (Radiology 143, 1982), of this classifier on other rows.

    Args:
        before, fresh: [m, d], [n, d] embeddings.
        seed: which rows are the halves.

    Raises:
        InputError: a value is missing, or the widths differ.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    before, fresh = _checked(before), _checked(fresh)
    if min(len(before), len(fresh)) < least:
        return None
    if before.shape[1:] != fresh.shape[1:]:
        raise InputError("the embeddings of the two sides are not of one space")
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(side), 2) for side in (before, fresh)]
    rows = [np.concatenate([side[half] for side in halves]) for half in (0, 1)]
    sides = [np.repeat([0, 1], [len(side[half]) for side in halves]) for half in (0, 1)]
    # Strongly regularised: rows are few beside the dimensions.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced"))
    model.fit(rows[0], sides[0])
    value = float(roc_auc_score(sides[1], model.decision_function(rows[1])))
    m, n = (len(side[1]) for side in halves)
    by_chance = 0.5 - ndtri(CHANCE) * math.sqrt((m + n + 1) / (12 * m * n))
    half = Z * _area_error(value, n, m)
    return Drift(
        value,
        max(TOLD_APART_FLOOR, float(by_chance)),
        len(fresh),
        low=max(0.0, value - half),
        high=min(1.0, value + half),
    )


def _area_error(area: float, n: int, m: int) -> float:
    """Hanley & McNeil's standard error of an area under the curve of n against m rows."""
    twice, both = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (n - 1) * (twice - area**2) + (m - 1) * (both - area**2)
    return math.sqrt(max(0.0, spread) / (n * m))


def _checked(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        raise InputError("a value is missing; what was not looked at is left out")
    return values
