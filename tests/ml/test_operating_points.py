"""One threshold a brand under a budget of flags."""

import numpy as np
import pytest

from ml.evaluate.operating_points import Brands, brand_thresholds
from ml.evaluate.recall import common_threshold, flagged, hits


def drawn(seed: int, *, brands: int, rows: int = 40, opened: int = 2000, sample: int = 0) -> Brands:
    """Brands that are told apart more or less well, and called without reason more or less often:
    no score is a probability."""
    rng = np.random.default_rng(seed)
    skill, noise = rng.uniform(0.5, 3.5, brands), rng.uniform(0.3, 1.5, brands)
    rng = np.random.default_rng([seed, sample])
    shown = rng.integers(0, brands, rows * brands)
    scores = rng.normal(0, noise, (len(shown), brands))
    scores[np.arange(len(shown)), shown] += skill[shown]
    online = rng.normal(0, noise, (opened, brands))
    return Brands(_squeezed(scores), shown, _squeezed(online))


def _squeezed(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def mean_recall(data: Brands, limits: np.ndarray) -> float:
    found = hits(data.scores, data.brands, limits)
    return float(np.mean([found[data.brands == b].mean() for b in np.unique(data.brands)]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ratio", [0.0, 0.005, 0.01, 0.1])
def test_the_budget_holds_on_the_rows_it_was_fitted_on(seed, ratio):
    data = drawn(seed, brands=12)
    limits = brand_thresholds(data, flag_ratio=ratio)
    assert flagged(data.open_scores, limits).mean() <= ratio


@pytest.mark.parametrize("seed", range(4))
def test_without_a_prior_it_is_what_trying_everything_finds(seed):
    data = drawn(seed, brands=6, rows=30, opened=600)
    best = best_recall(data, budget=12)
    limits = brand_thresholds(data, flag_ratio=0.02, positives=0.0, flags=0.0)
    # A grid of thresholds, and the step of one brand that the price leaves over.
    assert best - 0.015 <= mean_recall(data, limits) <= best + 1e-9


def best_recall(data: Brands, *, budget: int) -> float:
    """The exact answer, by dynamic programming over brands and flags: a brand's threshold is at
    one of its open scores, and so costs a whole number of flags."""
    brands = data.scores.shape[1]
    top, best = data.open_scores.argmax(axis=1), data.open_scores.max(axis=1)
    reached = np.zeros(budget + 1)
    for brand in range(brands):
        mine = data.brands == brand
        limits = [*np.sort(best[top == brand])[::-1], 0.0][: budget + 1]
        found = [
            hits(data.scores[mine], data.brands[mine], np.full(brands, limit)).mean()
            for limit in limits
        ]
        reached = np.array(
            [max(reached[f - c] + found[c] for c in range(min(f, len(found) - 1) + 1))
             for f in range(budget + 1)]
        )  # fmt: skip
    return reached[budget] / brands


def test_it_finds_more_than_one_threshold_for_all_on_rows_it_has_not_seen():
    gains, ratios = [], []
    for seed in range(12):
        data = drawn(seed, brands=20)
        fresh = drawn(seed, brands=20, rows=200, opened=20_000, sample=1)
        common = np.full(20, common_threshold(data.open_scores, 0.01))
        own = brand_thresholds(data, flag_ratio=0.01)
        gains.append(mean_recall(fresh, own) - mean_recall(fresh, common))
        ratios.append(flagged(fresh.open_scores, own).mean())
    assert np.mean(gains) > 0.03
    assert np.mean(ratios) < 0.0125


@pytest.mark.parametrize("seed", range(4))
def test_a_brand_that_nothing_is_known_of_gets_what_is_best_for_the_average_one(seed):
    data = drawn(seed, brands=8, opened=300)
    kept = (data.brands != 0), (data.open_scores.argmax(axis=1) != 0)
    data = Brands(data.scores[kept[0]], data.brands[kept[0]], data.open_scores[kept[1]])
    limits = brand_thresholds(data, flag_ratio=0.01)
    assert limits[1:].min() - 0.01 <= limits[0] <= limits[1:].max()


def test_a_brand_that_thousands_of_rows_never_called_costs_nothing():
    data = drawn(3, brands=8, opened=20_000)
    quiet = data.open_scores.argmax(axis=1) != 0
    data = Brands(data.scores, data.brands, data.open_scores[quiet])
    limits = brand_thresholds(data, flag_ratio=0.01)
    assert limits[0] < limits[1:].min()


def test_what_cannot_be_solved_is_said():
    data = drawn(1, brands=3)
    broken = data.scores.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        brand_thresholds(Brands(broken, data.brands, data.open_scores), flag_ratio=0.01)
    with pytest.raises(ValueError, match="open rows"):
        brand_thresholds(Brands(data.scores, data.brands, data.open_scores[:0]), flag_ratio=0.01)
