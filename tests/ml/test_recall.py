"""Recall and flag ratio against counting by hand."""

import numpy as np
import pytest

from ml.evaluate.recall import common_threshold, flagged, hits, mean_recall, recall_by_brand

SCORES = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.2], [0.7, 0.8]])
LIMITS = np.array([0.5, 0.5])


def test_a_hit_needs_the_own_brand_on_top_and_over_its_threshold():
    assert hits(SCORES, np.array([0, 0, 0, 0]), LIMITS).tolist() == [True, False, False, False]
    assert hits(SCORES, np.array([1, 1, 1, 1]), LIMITS).tolist() == [False, True, False, True]


def test_a_brand_the_model_does_not_know_is_never_hit():
    assert not hits(SCORES, np.full(4, -1), LIMITS).any()


def test_each_brand_has_its_own_threshold():
    assert flagged(SCORES, np.array([0.95, 0.7])).tolist() == [False, False, False, True]


def test_mean_recall_weighs_brands_not_images():
    by_brand = recall_by_brand(np.array([True, True, True, False]), np.array(["a", "a", "a", "b"]))
    assert by_brand == {"a": {"recall": 1.0, "n": 3}, "b": {"recall": 0.0, "n": 1}}
    assert mean_recall(by_brand) == 0.5


@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.5])
def test_the_common_threshold_flags_as_many_as_allowed_and_no_more(ratio):
    scores = np.random.default_rng(1).random((300, 5))
    limit = common_threshold(scores, ratio)
    assert flagged(scores, np.full(5, limit)).sum() == int(300 * ratio)


def test_equal_scores_are_never_flagged_beyond_the_ratio():
    assert not flagged(
        np.full((50, 2), 0.3), np.full(2, common_threshold(np.full((50, 2), 0.3), 0.1))
    ).any()
