"""The stratified estimator against a hand calculation, and over many draws."""

import numpy as np
import pytest

from ml.errors import InputError
from ml.evaluate.intervals import wilson_share
from ml.evaluate.stratified import stratified_share


def test_strata_are_weighed_by_their_size_not_by_their_draws():
    # 90 low flags with 2 right of 10, 10 high ones with 9 right of 10, drawn whole.
    found = stratified_share(np.array([2, 9]), np.array([10, 10]), np.array([90, 10]))
    assert found.value == pytest.approx(0.9 * 0.2 + 0.1 * 0.9)
    inside = 0.9**2 * (0.2 * 0.8 * 10 / 9) * (1 / 10 - 1 / 90)
    spread = 0.9 * (0.16 * 10 / 9 * (1 - 1 / 90) + 0.07**2) + 0.1 * (0.1 * 0.9 + 0.63**2)
    expected = wilson_share(0.27, min(20, 0.27 * 0.73 / (inside + spread / 100)), n=20)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_over_many_draws_the_estimate_is_unbiased_and_its_interval_holds():
    rng = np.random.default_rng(7)
    shares, right = np.array([0.65, 0.28, 0.07]), np.array([0.1, 0.5, 0.95])
    truth, draws = float(shares @ right), np.array([40, 30, 15])
    values, inside = [], 0
    for _ in range(600):
        sizes = rng.multinomial(900, shares)
        hits = rng.hypergeometric(good := rng.binomial(sizes, right), sizes - good, draws)
        found = stratified_share(hits, draws, sizes)
        values.append(found.value)
        inside += found.low <= truth <= found.high
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / np.sqrt(600))
    assert 0.92 <= inside / 600 <= 0.995


@pytest.mark.parametrize("counts", [([1], [0], [3]), ([2], [1], [3]), ([1], [4], [3])])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(InputError):
        stratified_share(*(np.array(x) for x in counts))
