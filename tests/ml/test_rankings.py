"""What each ranking asks first; how a batch is taken from it is tested in test_acquisition."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy

from ml.acquisition import KnownPositives, ScoredPool, TopScores, select
from ml.acquisition.pool import NO_BRAND
from ml.acquisition.rankings import (
    by_disagreement,
    by_entropy,
    by_margin,
    by_neighbours,
    by_threshold,
    by_typicality,
    largest_difference,
)
from ml.errors import InputError


def pool(dense, *, thresholds=None, top=5, **more):
    """Of dense scores (n, brands)."""
    dense = np.asarray(dense, np.float32)
    n, brands = dense.shape
    order = np.argsort(-dense, axis=1, kind="stable")[:, :top]
    return ScoredPool(
        brands=order,
        scores=np.take_along_axis(dense, order, axis=1),
        background=1 - dense.sum(axis=1),
        groups=np.arange(n),
        thresholds=np.full(brands, 0.5) if thresholds is None else np.array(thresholds),
        probe_hits=np.zeros(brands),
        probe_draws=np.zeros(brands),
        **more,
    )


def asked(ranking):
    """Items in the order in which they are asked."""
    order = np.argsort(-ranking.values, kind="stable")
    return [int(i) for i in order if ranking.values[i] > -np.inf]


def everything(scored):
    return np.ones(len(scored), bool)


def test_flags_and_near_misses_closest_to_a_threshold_come_first_and_in_turn():
    scored = pool([[0.1], [0.58], [0.45], [0.51], [0.9], [0.2]])
    # Above: 3 (0.01), 1 (0.08), 4; below: 2 (0.05), 5, 0.
    order = asked(by_threshold(scored, everything(scored), 6))
    assert [set(order[i : i + 2]) for i in (0, 2, 4)] == [{3, 2}, {1, 5}, {4, 0}]


def test_a_rare_brands_few_flags_weigh_as_much_as_a_common_ones_many():
    common = np.column_stack([np.linspace(0.4, 0.6, 200), np.zeros(200)])
    rare = np.array([[0.0, 0.9], [0.0, 0.05]])
    scored = pool(np.concatenate([common, rare]))
    ranking = by_threshold(scored, everything(scored), 10)
    assert {200, 201} <= set(asked(ranking)[:4])
    assert ranking.most.tolist() == [5, 5]
    counts = np.bincount(ranking.brands[asked(ranking)[:10]], minlength=2)
    assert counts.tolist() == [8, 2]


def test_an_item_is_asked_for_the_brand_whose_threshold_it_is_nearest_to():
    scored = pool([[0.6, 0.2]], thresholds=[0.9, 0.25])
    assert by_threshold(scored, everything(scored), 1).brands.tolist() == [1]
    focused = replace(scored, focus=(0,))
    assert by_threshold(focused, everything(scored), 1).brands.tolist() == [0]


def test_models_disagree_by_the_largest_difference_over_all_brands_either_names():
    one = TopScores(
        np.array([[0, 1], [0, 1], [2, NO_BRAND]]), np.array([[0.8, 0.1], [0.5, 0.4], [0.3, 0]])
    )
    other = TopScores(
        np.array([[1, 0], [0, 1], [0, NO_BRAND]]), np.array([[0.6, 0.3], [0.5, 0.4], [0.7, 0]])
    )
    gap, brand = largest_difference(one, other)
    assert gap == pytest.approx([0.5, 0.0, 0.7])
    # 0.8 − 0.3 and 0.6 − 0.1 are alike: the classifier's first. A brand named by one alone counts.
    assert brand[[0, 2]].tolist() == [0, 0]


def test_what_has_two_answers_nearly_as_likely_has_the_smallest_margin_none_among_them():
    # By hand: none is 0.48, 0.1, 0.05 and 0.97, so the margins are 0.04, 0.4, 0.01 and 0.96.
    scored = pool([[0.52, 0.0], [0.65, 0.25], [0.47, 0.48], [0.01, 0.02]])
    assert asked(by_margin(scored, everything(scored), 4)) == [2, 0, 1, 3]


def test_the_least_settled_answers_have_the_highest_entropy():
    dense = np.random.default_rng(0).dirichlet(np.ones(6), 50)  # the last answer is none
    scored = pool(dense[:, :-1])
    expected = np.argsort(-scipy_entropy(dense, axis=1))
    assert asked(by_entropy(scored, everything(scored), 50)) == expected.tolist()


def test_doubts_about_other_brands_are_not_asked_for_the_brands_in_focus():
    dense = [[0.5, 0.49, 0.001], [0.1, 0.3, 0.32], [0.1, 0.0, 0.05]]
    scored = pool(dense, focus=(2,))
    for ranking in (by_margin, by_entropy):
        assert asked(ranking(scored, everything(scored), 3)) == [1]


def test_what_a_model_did_not_look_at_is_no_disagreement():
    scored = pool([[0.9, 0.0], [0.8, 0.1]])
    alone = by_disagreement(scored, everything(scored), 2)
    assert asked(alone) == []
    unseen = TopScores(np.array([[0], [0]]), np.zeros((2, 1)), np.array([False, True]))
    assert asked(by_disagreement(replace(scored, others={"detector": unseen}), None, 2)) == [1]
    text = TopScores(np.array([[1], [0]]), np.array([[0.5], [0.8]]))
    both = replace(scored, others={"detector": unseen, "text": text})
    ranking = by_disagreement(both, None, 2)
    assert ranking.values == pytest.approx([0.9, 0.8])


def test_another_models_missing_score_is_an_error():
    broken = TopScores(np.array([[0]]), np.array([[np.nan]]))
    with pytest.raises(InputError, match="text has a missing score"):
        select(pool([[0.4]], others={"text": broken}), budget=1, mix={"disagreement": 1.0}, seed=0)


def looks_at(degrees):
    angles = np.radians(np.asarray(degrees, float))
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_the_neighbours_of_a_rare_brands_positives_come_nearest_first():
    looks = looks_at([0, 40, 10, 90, 5])
    dense = np.array([[0.1, 0], [0.9, 0], [0.2, 0], [0.3, 0], [0, 0]]) + 0.001
    dense[4] = [0, 0.5]
    scored = pool(
        dense, top=1, embeddings=lambda items: looks[items],
        known=KnownPositives(looks_at([0]), np.array([0])),
    )  # fmt: skip
    ranking = by_neighbours(scored, everything(scored), 4)
    # The last looks like it too, but the model does not think of the brand.
    assert asked(ranking) == [0, 2, 1, 3]
    assert set(ranking.brands[asked(ranking)]) == {0}


def test_the_fewer_images_of_a_brand_are_known_the_more_neighbours_are_asked():
    looks = looks_at(range(0, 90))
    dense = np.column_stack([np.full(90, 0.3), np.full(90, 0.2)])
    scored = pool(
        dense, embeddings=lambda items: looks[items],
        known=KnownPositives(looks_at([0, 80, 81, 82]), np.array([0, 1, 1, 1])),
    )  # fmt: skip
    assert by_neighbours(scored, everything(scored), 8).most.tolist() == [6, 2]
    chosen = select(scored, budget=8, mix={"neighbours": 1.0}, seed=0, diversity=0.0)
    brands = [choice.focus_brand for choice in chosen if choice.strategy == "neighbours"]
    assert brands.count(1) <= 2 < brands.count(0)


def test_without_known_positives_there_are_no_neighbours():
    scored = pool([[0.5]], embeddings=lambda items: looks_at([0] * len(items)))
    assert asked(by_neighbours(scored, everything(scored), 3)) == []


def clustered(sizes, *, seed=0, spread=0.05):
    """Looks of clusters of these sizes, each around an axis of its own, and their clusters."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    looks = rng.normal(0, spread, (len(cluster), len(sizes) + 4))
    looks[np.arange(len(cluster)), cluster] += 1
    return (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32), cluster


def test_typical_items_of_the_largest_clusters_without_anything_known_come_first():
    looks, cluster = clustered([40, 10, 30, 20])
    known = KnownPositives(looks[cluster == 0][:1], np.array([0]))
    scored = pool(np.zeros((100, 1)), embeddings=lambda items: looks[items], known=known)
    order = asked(by_typicality(scored, everything(scored), 3))
    assert cluster[order[:4]].tolist() == [2, 3, 1, 0]
    assert cluster[order[4:8]].tolist() == [2, 3, 1, 0]
    # The first of a cluster lies nearer to the rest of it than most do.
    mine = looks[cluster == 2] @ looks[cluster == 2].mean(axis=0)
    assert (looks[order[0]] @ looks[cluster == 2].mean(axis=0)) > np.median(mine)


def test_without_embeddings_or_free_items_nothing_is_typical():
    scored = pool(np.zeros((5, 1)))
    assert asked(by_typicality(scored, everything(scored), 3)) == []
    looks, _ = clustered([3, 2])
    scored = pool(np.zeros((5, 1)), embeddings=lambda items: looks[items])
    assert asked(by_typicality(scored, np.zeros(5, bool), 3)) == []
    assert len(asked(by_typicality(scored, everything(scored), 9))) == 5
