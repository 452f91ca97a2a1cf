"""The stratified estimator against a hand calculation, and over many draws."""

import numpy as np
import pytest

from ml.errors import InputError
from ml.evaluate.intervals import wilson_share
from ml.evaluate.stratified import allocate, draw, stratified_share


def test_strata_are_weighed_by_their_size_not_by_their_draws():
    # 90 low flags with 2 right of 10, 10 high ones with 9 right of 10.
    found = stratified_share(np.array([2, 9]), np.array([10, 10]), np.array([90, 10]), finite=True)
    assert found.value == pytest.approx(0.9 * 0.2 + 0.1 * 0.9)
    # The second stratum was drawn whole and adds no variance.
    variance = 0.9**2 * (0.2 * 0.8 * 10 / 9) * (1 / 10 - 1 / 90)
    expected = wilson_share(0.27, 0.27 * 0.73 / variance, n=20)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_rows_that_are_a_sample_themselves_leave_more_doubt():
    counts = np.array([2, 9]), np.array([10, 10]), np.array([90, 10])
    inside = 0.9**2 * (0.2 * 0.8 * 10 / 9) * (1 / 10 - 1 / 90)
    spread = 0.9 * (0.16 * 10 / 9 * (1 - 1 / 90) + 0.07**2) + 0.1 * (0.1 * 0.9 + 0.63**2)
    expected = wilson_share(0.27, min(20, 0.27 * 0.73 / (inside + spread / 100)), n=20)
    found = stratified_share(*counts)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_full_sample_of_a_finite_set_leaves_no_doubt():
    found = stratified_share(np.array([3, 1]), np.array([4, 5]), np.array([4, 5]), finite=True)
    assert (found.low, found.value, found.high) == pytest.approx((4 / 9, 4 / 9, 4 / 9))


def test_over_many_draws_the_estimate_is_unbiased_and_its_interval_holds():
    rng = np.random.default_rng(7)
    strata = np.repeat([0, 1, 2], [600, 250, 50])
    right = rng.random(900) < np.array([0.1, 0.5, 0.95])[strata]
    sizes, truth = np.bincount(strata), right.mean()
    values, inside = [], 0
    for _ in range(600):
        chosen = draw(strata, 90, rng)
        draws = np.bincount(strata[chosen], minlength=3)
        hits = np.bincount(strata[chosen][right[chosen]], minlength=3)
        found = stratified_share(hits, draws, sizes, finite=True)
        values.append(found.value)
        inside += found.low <= truth <= found.high
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / np.sqrt(600))
    assert 0.92 <= inside / 600 <= 0.995


def test_draws_are_shared_by_size_with_at_least_two_each():
    assert allocate(np.array([100, 10, 1]), 40).tolist() == [34, 5, 1]
    assert allocate(np.array([3, 2]), 100).tolist() == [3, 2]
    assert allocate(np.array([], int), 5).tolist() == []
    for budget in (4, 7, 50, 111):
        assert allocate(np.array([100, 10, 1]), budget).sum() == max(budget, 5)


def test_a_draw_takes_no_row_twice():
    strata = np.array(["a"] * 5 + ["b"] * 50)
    chosen = draw(strata, 20, np.random.default_rng(0))
    assert len(set(chosen)) == len(chosen) == 20
    assert (strata[chosen] == "a").sum() >= 2


@pytest.mark.parametrize("counts", [([1], [0], [3]), ([2], [1], [3]), ([1], [4], [3])])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(InputError):
        stratified_share(*(np.array(x) for x in counts))
