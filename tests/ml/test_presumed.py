"""Doubt at the operating points, and a batch chosen as if its answers came one by one."""

from dataclasses import replace

import numpy as np
import pytest

from ml.acquisition import ScoredPool, select
from ml.acquisition.pool import NO_BRAND
from ml.acquisition.presumed import STEP, Presumed


def pool(scores, *, brands=None, thresholds=0.5, looks=None):
    """Of the scores (n, k) of each item's best brands; one brand each where none are named."""
    scores = np.asarray(scores, np.float32)
    brands = np.tile(np.arange(scores.shape[1]), (len(scores), 1)) if brands is None else brands
    count = int(np.max(brands)) + 1
    return ScoredPool(
        brands=np.asarray(brands, np.int16),
        scores=scores,
        background=(1 - scores.sum(axis=1)).astype(np.float32),
        groups=np.arange(len(scores)),
        thresholds=np.broadcast_to(np.asarray(thresholds, float), count).copy(),
        probe_hits=np.zeros(count),
        probe_draws=np.zeros(count),
        embeddings=None if looks is None else lambda items: np.asarray(looks, np.float32)[items],
    )


def at(degrees):
    angles = np.radians(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def asked(scored, budget):
    return [c.index for c in select(scored, budget=budget, mix={"uncertain": 1.0}, seed=0)]


def test_each_brand_is_held_against_an_operating_point_of_its_own():
    scored = pool([[0.8], [0.8], [0.3]], brands=[[0], [1], [1]], thresholds=[0.8, 0.3])
    assert set(asked(scored, 2)) == {0, 2}


def test_what_is_presumed_is_one_step_of_descent_on_it():
    scored = pool([[0.6, 0.3], [0.5, 0.2]])
    presumed = Presumed(scored, np.arange(2), np.array([[1.0, 0.0], [0.6, 0.8]], np.float32))
    presumed.presume(0)
    # The head's errors at the first item are 0.6, 0.3 and 0.1 − 1; the second's cosine is 0.6.
    logits = np.log([0.5, 0.2, 0.3]) - STEP * 0.6 * np.array([0.6, 0.3, 0.1 - 1.0])
    expected = np.exp(logits) / np.exp(logits).sum()
    assert presumed.doubts()[1] == pytest.approx(-abs(np.log(expected[0] / (1 - expected[0]))))
    assert presumed.probabilities()[:3, 1] == pytest.approx(expected, rel=1e-5)


def test_brands_that_two_items_do_not_share_are_not_moved():
    scored = pool([[0.6], [0.5]], brands=[[0], [1]])
    presumed = Presumed(scored, np.arange(2), np.array([[1.0, 0.0], [1.0, 0.0]], np.float32))
    presumed.presume(0)
    odds = 0.5 / (0.5 * np.exp(STEP * 0.6))  # none alone has risen, by the first item's 1 − 0.4
    assert presumed.probabilities()[:2, 1] == pytest.approx([odds / (1 + odds), 1 / (1 + odds)])


def test_what_a_chosen_item_will_tell_is_not_asked_twice():
    # The second is nearly as doubtful as the first and much like it; the third is like neither.
    scored = pool([[0.5], [0.49], [0.6]], looks=at([0, 15, 90]))
    assert asked(scored, 2) == [0, 2]
    assert asked(replace(scored, embeddings=None), 2) == [0, 1]


def test_likely_positives_become_the_doubtful_ones_as_a_batch_grows():
    scored = pool([[0.5], [0.45], [0.6]], looks=at([0, 15, 15]))
    assert asked(scored, 2) == [0, 2]


def test_an_item_without_a_brand_is_never_asked():
    scored = pool([[0.5], [0.0]], brands=[[0], [NO_BRAND]], looks=at([0, 90]))
    assert asked(scored, 2) == [0]


def test_a_round_about_one_brand_asks_of_no_other():
    both = pool([[0.5, 0.3], [0.45, 0.4], [0.5, 0.0]], looks=at([0, 90, 180]))
    focused = replace(both, focus=(1,), brands=np.array([[0, 1], [0, 1], [0, NO_BRAND]]))
    assert asked(focused, 3) == [1, 0]
