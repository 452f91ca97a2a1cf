"""Bootstrap intervals against simulated sets whose truth is known, and against row-wise draws."""

import numpy as np
import pytest

from ml.evaluate.bootstrap import Design
from ml.evaluate.intervals import share_of, wilson


def drawn_world(rng, recalls, groups=8, copies=3):
    """Hits, brands and groups: every group is `copies` near-duplicates that share their fate."""
    hit = np.repeat((rng.random((len(recalls), groups)) < recalls[:, None]).ravel(), copies)
    brands = np.repeat(np.arange(len(recalls)), groups * copies)
    return hit.astype(float), brands, np.repeat(np.arange(len(recalls) * groups), copies)


def coverage(recalls, *, by_group: bool, worlds=250) -> float:
    rng = np.random.default_rng(11)
    inside = 0
    for world in range(worlds):
        hit, brands, group = drawn_world(rng, recalls)
        together = group if by_group else np.arange(len(hit))
        found = Design(brands, together).mean(hit, resamples=300, seed=world)
        inside += found.low <= recalls.mean() <= found.high
    return inside / worlds


def test_the_interval_holds_the_true_mean_recall_19_times_in_20():
    recalls = np.random.default_rng(3).uniform(0.1, 0.9, 15)
    assert 0.92 <= coverage(recalls, by_group=True) <= 0.98


def test_drawing_images_instead_of_groups_would_claim_too_much():
    recalls = np.random.default_rng(3).uniform(0.1, 0.9, 15)
    assert coverage(recalls, by_group=False) < 0.85


def test_counting_kinds_of_groups_equals_drawing_the_groups_themselves():
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 12, 60)
    hit = (rng.random(60) < 0.4).astype(float)
    quick = Design(np.zeros(60), groups).replicates(hit, resamples=20_000)[:, 0]
    sums, sizes = np.bincount(groups, weights=hit), np.bincount(groups)
    picked = rng.integers(0, len(sums), (20_000, len(sums) - 1))
    slow = sums[picked].sum(axis=1) / sizes[picked].sum(axis=1)
    levels = [0.025, 0.25, 0.5, 0.75, 0.975]
    assert np.quantile(quick, levels) == pytest.approx(np.quantile(slow, levels), abs=0.02)
    assert quick.std() == pytest.approx(slow.std(), rel=0.03)


def test_replicates_have_the_variance_of_a_mean_even_for_four_images():
    hit = np.array([1.0, 1.0, 0.0, 0.0])
    drawn = Design(np.zeros(4), np.arange(4)).replicates(hit, resamples=40_000)
    assert drawn.var() == pytest.approx(hit.var(ddof=1) / 4, rel=0.03)


def test_a_brand_of_one_group_does_not_vary_and_the_same_seed_gives_the_same():
    design = Design(np.array(["a", "a", "b"]), np.array([0, 0, 1]))
    assert (design.replicates(np.array([1.0, 0.0, 1.0])) == [0.5, 1.0]).all()
    hit, brands, groups = drawn_world(np.random.default_rng(0), np.full(5, 0.5))
    assert Design(brands, groups).mean(hit) == Design(brands, groups).mean(hit)


def test_near_duplicates_count_as_one_case():
    hit = np.repeat([True, False, True, True], 5)
    found, alone = share_of(hit, np.repeat(np.arange(4), 5)), wilson(3, 4)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))
    assert found.n == 20


def test_a_share_of_single_rows_is_wilsons_and_none_of_nothing():
    assert share_of(np.array([True, False, False]), np.arange(3)) == wilson(1, 3)
    assert share_of(np.zeros(0, bool), np.zeros(0)) is None
    assert wilson(0, 10).high == pytest.approx(0.2775, abs=1e-4)


def test_no_hit_at_all_is_not_taken_for_certain():
    brands = np.repeat(np.arange(4), 25)
    found = Design(brands, np.arange(100)).mean_share(np.zeros(100, bool))
    alone = wilson(0, 100)
    assert (found.low, found.high) == pytest.approx((0.0, alone.high))
    # A brand of three images tells little of the mean, however many the others have.
    uneven = np.repeat(np.arange(4), [3, 32, 32, 33])
    assert Design(uneven, np.arange(100)).mean_share(np.ones(100, bool)).low < 1 - alone.high
