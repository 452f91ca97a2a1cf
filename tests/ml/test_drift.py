"""Drift measures: against hand calculations and other libraries, and how often chance alone
passes their limits."""

import math

import numpy as np
import pytest
from scipy import stats

from ml.drift import (
    SHIFT_FLOOR,
    STABILITY_FLOOR,
    TOLD_APART_FLOOR,
    score_shift,
    stability_index,
    told_apart,
)
from ml.errors import InputError


def test_the_stability_index_is_that_of_a_hand_calculation():
    before = np.arange(1000) / 1000
    fresh = np.concatenate([np.full(400, 0.05), np.full(600, 0.95)])
    # Ten bins of 100; of the fresh ones 400 in the first, 600 in the last. Half a row more each.
    shares = [(400.5, 100.5), (600.5, 100.5), *[(0.5, 100.5)] * 8]
    by_hand = sum((f - b) / 1005 * math.log(f / b) for f, b in shares)
    found = stability_index(before, fresh)
    assert found.value == pytest.approx(by_hand)
    assert found.is_past_limit
    assert (found.limit, found.n) == (STABILITY_FLOOR, 1000)


def test_the_same_scores_are_stable_also_where_many_are_zero():
    scores = np.concatenate([np.zeros(700), np.linspace(0.2, 1, 300)])
    assert stability_index(scores, scores).value == 0
    assert score_shift(scores, scores).value == 0
    moved = np.concatenate([np.zeros(300), np.linspace(0.2, 1, 700)])
    assert stability_index(scores, moved).is_past_limit
    assert stability_index(np.zeros(200), np.zeros(200)).value == 0


def test_the_limit_of_a_small_sample_is_that_of_chance():
    rng = np.random.default_rng(0)
    found = stability_index(rng.random(100), rng.random(100))
    assert found.limit == pytest.approx(stats.chi2.isf(0.001, 9) * 2 / 100)
    shift = score_shift(rng.random(5000), rng.random(100))
    assert stats.kstwobign.sf(shift.limit / math.sqrt(1 / 5000 + 1 / 100)) == pytest.approx(
        0.001, rel=1e-3
    )
    assert score_shift(rng.random(50_000), rng.random(50_000)).limit == SHIFT_FLOOR


def test_the_shift_is_the_largest_difference_of_cumulative_shares():
    before, fresh = np.arange(100) / 100, np.arange(50, 150) / 100
    found = score_shift(before, fresh)
    assert found.value == pytest.approx(0.5)
    assert found.is_past_limit


def test_embeddings_of_two_kinds_are_told_apart_and_of_one_kind_not():
    rng = np.random.default_rng(1)
    before, same = rng.normal(size=(600, 32)), rng.normal(size=(400, 32))
    other = same + np.r_[1.5, np.zeros(31)]
    alike, apart = told_apart(before, same), told_apart(before, other)
    assert not alike.is_past_limit
    assert alike.limit == TOLD_APART_FLOOR
    # Two normal distributions 1.5 apart: no classifier does better than Φ(1.5 / √2).
    best = stats.norm.cdf(1.5 / math.sqrt(2))
    assert 0.7 < apart.value < best + 0.05
    assert apart.low < apart.value < apart.high
    assert apart.is_past_limit
    assert told_apart(before, other) == apart  # again: the same halves


def test_the_interval_is_hanley_and_mcneils():
    rng = np.random.default_rng(3)
    found = told_apart(rng.normal(size=(200, 4)), rng.normal(0.8, 1, size=(200, 4)))
    a, n = found.value, 100
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = math.sqrt((a * (1 - a) + (n - 1) * (q1 - a * a + q2 - a * a)) / n**2)
    assert found.high - found.value == pytest.approx(min(1 - a, 1.96 * error), rel=1e-3)


def test_chance_alone_seldom_passes_a_limit():
    rng = np.random.default_rng(2)
    passed = {"stability": 0, "shift": 0, "apart": 0}
    for seed in range(200):
        a, b = rng.beta(0.4, 3, 400), rng.beta(0.4, 3, 110)
        passed["stability"] += stability_index(a, b).is_past_limit
        passed["shift"] += score_shift(a, b).is_past_limit
        found = told_apart(rng.normal(size=(110, 8)), rng.normal(size=(110, 8)), seed=seed)
        passed["apart"] += found.is_past_limit
    assert all(count <= 2 for count in passed.values()), passed  # 0.2 expected of each


def test_of_few_rows_nothing_is_said():
    many, few = np.random.default_rng(0).random(500), np.random.default_rng(1).random(99)
    for measure in (stability_index, score_shift):
        assert measure(many, few) is None
        assert measure(few, many) is None
        assert measure(many, few, least=50) is not None
    assert told_apart(many[:, None], few[:, None]) is None


def test_missing_values_and_other_spaces_are_refused():
    scores = np.full(200, 0.5)
    for measure in (stability_index, score_shift):
        with pytest.raises(InputError, match="missing"):
            measure(scores, np.where(np.arange(200) == 3, np.nan, scores))
    with pytest.raises(InputError, match="one space"):
        told_apart(np.zeros((200, 4)), np.zeros((200, 5)))
