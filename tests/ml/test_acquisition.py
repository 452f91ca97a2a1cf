from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta
from scipy.stats import entropy as scipy_entropy

from ml.acquisition import (
    ScoredPool,
    allocate_budget,
    brand_precision,
    detector_false_alarms,
    entropy,
    group_codes,
    left_out_chances,
    margin,
    near_threshold,
    select,
    small_logos,
    suspicion,
    top_boxes,
    top_brands,
)
from ml.acquisition.batch import ALIKE, Batch, Ranking
from ml.acquisition.precision import LEAST_FLAGGED, equal_shares
from ml.acquisition.shards import SCORES, read_pool
from ml.errors import InputError

MIX = {
    "hard_negatives": 0.3,
    "low_precision": 0.2,
    "uncertain": 0.2,
    "random_control": 0.15,
    "probe": 0.15,
}


def best_first(dense):
    order = np.argsort(-dense, axis=1, kind="stable")
    return {"brands": order, "scores": np.take_along_axis(dense, order, axis=1)}


def pool(n=400, brands=5, seed=0, groups=None, **changes):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(brands + 1, 0.3), size=n)
    values = best_first(changes.pop("dense", p[:, :-1])) | {
        "background": p[:, -1],
        "groups": np.arange(n) if groups is None else groups,
        "thresholds": np.full(brands, 0.5),
        "probe_hits": np.zeros(brands),
        "probe_draws": np.zeros(brands),
    }
    return ScoredPool(**(values | changes))


def test_margin_and_entropy_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    assert margin(p) == pytest.approx([0.5, 1.0, 0.0])
    assert entropy(p) == pytest.approx(scipy_entropy(p, axis=1))


def test_near_threshold_puts_the_closest_first_in_log_odds():
    # Odds of 0.8 are 4, of 0.5 are 1, and those of 0.94 are 47 / 3.
    found = near_threshold(np.array([0.8, 0.5, 0.94]), np.full(3, 0.8))
    assert found == pytest.approx([0.0, -np.log(4), -np.log(47 / 12)])


def test_near_threshold_of_certain_scores_and_of_what_is_never_flagged_is_finite():
    assert np.isfinite(near_threshold(np.array([0.0, 1.0, 0.5]), np.array([0.5, 0.5, 1.1]))).all()


def test_a_confident_box_the_classifier_denies_is_the_worst_false_alarm():
    value = detector_false_alarms(np.array([0.9, 0.9, 0.2]), np.array([0.05, 0.95, 0.05]))
    assert value.argmax() == 0
    assert value == pytest.approx([0.855, 0.045, 0.19])


def test_only_small_boxes_are_small_logos_and_the_surest_come_first():
    value = small_logos(np.array([0.4, 0.9, 0.6]), np.array([0.005, 0.2, 0.009]))
    assert value.tolist() == [0.4, 0.0, 0.6]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_missing_score_is_an_error(bad):
    scores = pool().scores.copy()
    scores[3, 1] = bad
    for call in (margin, entropy):
        with pytest.raises(InputError, match="row 3"):
            call(scores)
    with pytest.raises(InputError, match="row 3"):
        select(replace(pool(), scores=scores), budget=10, mix=MIX, seed=0)


def test_a_brand_probed_twice_stays_near_the_rest():
    precision = brand_precision(np.array([0, 80]), np.array([2, 100]))
    assert precision.mean[0] > 0.4
    assert precision.mean[1] == pytest.approx(0.8, abs=0.02)
    assert precision.high[0] - precision.low[0] > precision.high[1] - precision.low[1]


def test_probe_counts_that_cannot_be_are_refused():
    with pytest.raises(InputError):
        brand_precision(np.array([3]), np.array([2]))


def test_precise_and_hardly_flagged_brands_get_no_budget():
    shares = allocate_budget(np.array([0.95, 0.2, 0.2, 0.5]), np.array([500, 4, 100, 100]), 60)
    assert shares[0] == shares[1] == 0
    assert shares[2] > shares[3] > 0
    assert shares.sum() == 60


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 50)), min_size=1, max_size=8),
    st.integers(0, 200),
)
def test_a_budget_is_never_exceeded_nor_a_brand_given_more_than_it_has(brands, budget):
    precision, flagged = map(np.array, zip(*brands, strict=True))
    shares = allocate_budget(precision, flagged, budget)
    assert (shares >= 0).all() and (shares <= flagged).all() and shares.sum() <= budget
    needy = (precision < 0.9) & (flagged >= LEAST_FLAGGED)
    assert shares.sum() == min(budget, flagged[needy].sum())


def test_a_mix_gives_each_strategy_its_share_and_asks_nothing_twice():
    chosen = select(pool(n=2000), budget=100, mix=MIX, seed=1)
    counts = {name: sum(c.strategy == name for c in chosen) for name in MIX}
    assert counts == {
        "hard_negatives": 30,
        "low_precision": 20,
        "uncertain": 20,
        "random_control": 15,
        "probe": 15,
    }
    assert len({choice.index for choice in chosen}) == 100


def test_one_of_a_group_is_asked_at_most():
    groups = np.arange(400) // 8
    chosen = select(pool(groups=groups), budget=100, mix=MIX, seed=1)
    assert len({groups[choice.index] for choice in chosen}) == len(chosen) <= 50


def test_one_of_a_group_is_asked_at_most_where_it_fills_a_whole_head():
    """A product has many photographs, and they need not look alike."""
    scored = pool()
    names = np.arange(1, 401)
    names[np.argsort(-scored.best, kind="stable")[:80]] = 0
    _, groups = np.unique(names, return_inverse=True)
    chosen = select(pool(groups=groups), budget=120, mix={"hard_negatives": 0.05}, seed=1)
    assert len({groups[choice.index] for choice in chosen}) == len(chosen) == 6


def test_the_same_seed_chooses_the_same():
    one, two, other = (select(pool(), budget=50, mix=MIX, seed=seed) for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_the_control_is_a_fair_sample_of_the_pool():
    drawn = np.zeros(40)
    for seed in range(600):
        for choice in select(pool(n=40), budget=8, mix={"random_control": 1.0}, seed=seed):
            drawn[choice.index] += 1
            assert choice.propensity == pytest.approx(0.2)
    # 600 × 0.2 = 120 expected each, standard deviation 9.8.
    assert abs(drawn - 120).max() < 5 * 9.8


def test_probes_are_flagged_for_their_brand_and_carry_their_chance():
    scored = pool()
    for choice in select(scored, budget=20, mix={"probe": 1.0}, seed=0):
        assert scored.brands[choice.index, 0] == choice.focus_brand
        assert scored.scores[choice.index, 0] >= 0.5
        assert 0 < choice.propensity <= 1


def test_focus_keeps_chosen_negatives_to_its_brands():
    chosen = select(pool(focus=(2,)), budget=40, mix={"hard_negatives": 0.5, "probe": 0.5}, seed=0)
    assert {choice.focus_brand for choice in chosen} == {2}


def test_an_unknown_strategy_is_refused():
    with pytest.raises(InputError, match="luck"):
        select(pool(), budget=1, mix={"luck": 1.0}, seed=0)


def test_a_negative_budget_or_share_is_refused():
    with pytest.raises(InputError, match="negative"):
        select(pool(), budget=-1, mix=MIX, seed=0)
    with pytest.raises(InputError, match="negative"):
        select(pool(), budget=10, mix={"probe": -0.1}, seed=0)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="disagrees"):
        select(pool(groups=np.arange(399)), budget=10, mix=MIX, seed=0)


@pytest.mark.parametrize("groups", [np.arange(400) * 1e9, np.arange(400) * 7, np.arange(400) - 1])
def test_groups_that_are_no_codes_are_refused(groups):
    with pytest.raises(InputError, match="group_codes"):
        select(pool(groups=groups), budget=10, mix=MIX, seed=0)


def test_groups_are_numbered_in_the_order_of_their_names():
    names = pa.chunked_array([["b", "a"], ["b"], ["c", "a"]])
    assert group_codes(names).tolist() == [0, 1, 0, 2, 1]
    with pytest.raises(InputError, match="no group"):
        group_codes(pa.chunked_array([["b", None]]))


def test_uncertain_ones_are_those_nearest_to_an_operating_point():
    scored = pool()
    nearest = np.sort(near_threshold(scored.best, scored.thresholds[scored.best_brand]))[::-1]
    chosen = select(scored, budget=40, mix={"uncertain": 1.0}, seed=0)
    assert [choice.score for choice in chosen] == pytest.approx(nearest[:40])


def test_an_empty_pool_gives_nothing():
    empty = pool(n=0)
    assert select(empty, budget=10, mix=MIX, seed=0) == []


def test_what_a_strategy_cannot_use_goes_to_the_next():
    never_flagged = pool(thresholds=np.full(5, 1.1))
    chosen = select(never_flagged, budget=50, mix=MIX, seed=0)
    assert len(chosen) == 50
    assert not any(choice.strategy in ("probe", "low_precision") for choice in chosen)


def test_a_strategy_without_a_share_is_not_asked_for_what_others_leave():
    mix = {"low_precision": 0.5, "uncertain": 0.5}
    chosen = select(pool(thresholds=np.full(5, 1.1)), budget=50, mix=mix, seed=0)
    assert {choice.strategy for choice in chosen} == {"uncertain"}


def test_precision_is_the_beta_posterior():
    precision = brand_precision(np.array([3.0]), np.array([4.0]), level=0.8)
    # Common mean (3 + 1) / (4 + 2) = 2/3; prior Beta(8/3, 4/3); posterior Beta(17/3, 7/3).
    posterior = beta(17 / 3, 7 / 3)
    assert precision.mean == pytest.approx(posterior.mean())
    assert precision.low == pytest.approx(posterior.ppf(0.1))
    assert precision.high == pytest.approx(posterior.ppf(0.9))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(0, 100))
def test_equal_shares_use_the_whole_budget_and_differ_only_where_somebody_has_no_more(
    available, budget
):
    available = np.array(available)
    shares = equal_shares(available, budget, np.random.default_rng(0))
    assert shares.sum() == min(budget, available.sum())
    assert (shares <= available).all()
    hungry = shares[shares < available]
    assert not len(hungry) or shares.max() - hungry.min() <= 1


@pytest.mark.parametrize("strategy", ["random_control", "probe"])
def test_propensities_are_the_chances_of_being_drawn(strategy):
    """Weighting each draw by 1 / propensity must give every item a total of one on average
    (Horvitz and Thompson 1952), near-duplicate groups and scarce brands included."""
    rng = np.random.default_rng(3)
    groups = np.concatenate([np.arange(20), np.zeros(6, dtype=int), np.full(4, 1)])
    scored = pool(n=30, brands=3, groups=groups, thresholds=np.array([0.3, 0.3, 0.3]))
    # All copies of a group look alike, so that a group is flagged for one brand.
    scored = replace(scored, brands=scored.brands[groups], scores=scored.scores[groups])
    best = scored.best_brand
    drawable = np.ones(30, bool) if strategy == "random_control" else scored.best >= 0.3
    assert len(set(best[drawable])) == 3
    runs, weight = 1500, np.zeros(30)
    for seed in rng.integers(2**31, size=runs).tolist():
        for choice in select(scored, budget=8, mix={strategy: 1.0}, seed=seed):
            weight[choice.index] += 1 / choice.propensity / runs
    assert weight[~drawable].sum() == 0
    # The rarest item is drawn with chance 8/20/7 = 0.06: a standard error of about 0.1.
    assert weight[drawable] == pytest.approx(1.0, abs=0.5)
    assert weight[drawable].mean() == pytest.approx(1.0, abs=0.05)


def test_a_scan_is_read_best_brand_first_and_strange_brands_are_passed_over():
    names = pa.chunked_array([[["b", "x", "a"], []], [["x"], ["a"]]], pa.list_(pa.string()))
    values = pa.chunked_array([[[0.7, 0.2, 0.1], []], [[0.9], [0.4]]], pa.list_(pa.float32()))
    brands, scores = top_brands(names, values, ["a", "b"])
    assert brands.tolist() == [[1, 0], [-1, -1], [-1, -1], [0, -1]]
    assert scores == pytest.approx(np.array([[0.7, 0.1], [0, 0], [0, 0], [0.4, 0]]))
    with pytest.raises(InputError, match="missing"):
        top_brands(pa.chunked_array([[["a"]]]), pa.chunked_array([[[None]]]), ["a"])


def test_of_a_brands_boxes_the_best_counts_and_no_look_is_not_no_box():
    boxes = [
        [{"brand": "b", "score": 0.3}, {"brand": "a", "score": 0.6}, {"brand": "b", "score": 0.9}],
        None,
        [{"brand": "x", "score": 0.5}],
        [{"brand": "a", "score": 0.1}],
    ]
    kind = pa.list_(pa.struct([("brand", pa.string()), ("score", pa.float32())]))
    top = top_boxes(pa.chunked_array([boxes[:2], boxes[2:]], kind), ["a", "b"], k=2)
    assert top.brands.tolist() == [[1, 0], [-1, -1], [-1, -1], [0, -1]]
    assert top.scores == pytest.approx(np.array([[0.9, 0.6], [0, 0], [0, 0], [0.1, 0]]))
    assert top.looked.tolist() == [True, False, True, True]
    assert top_boxes(pa.chunked_array([boxes[:1]], kind), ["a", "b"], k=1).brands.tolist() == [[1]]


def on_a_circle(degrees):
    angles = np.radians(degrees)
    looks = np.column_stack([np.cos(angles), np.sin(angles)])
    return lambda items: looks[items]


def test_what_looks_like_a_chosen_item_waits_and_near_duplicates_are_never_asked():
    """Items at 0°, 1°, 30°, 90°, in the order of their values; cos 1° is above ALIKE."""
    assert np.cos(np.radians(1)) > ALIKE
    ranking = Ranking(np.array([0.9, 0.8, 0.7, 0.6]), np.zeros(4, int))
    plain = Batch(np.arange(4), None, diversity=0.6)
    assert plain.take(ranking, 4) == [0, 1, 2, 3]
    diverse = Batch(np.arange(4), on_a_circle([0, 1, 30, 90]), diversity=0.6)
    # 90°: 0.4 × ¼ − 0 = 0.1; 30°: 0.4 × ½ − 0.6 × 0.87 = −0.32.
    assert diverse.take(ranking, 4) == [0, 3, 2]
    by_rank = Batch(np.arange(4), on_a_circle([0, 1, 30, 90]), diversity=0.0)
    assert by_rank.take(ranking, 4) == [0, 2, 3]


def test_a_batch_is_unlike_what_an_earlier_strategy_chose():
    batch = Batch(np.arange(3), on_a_circle([0, 5, 90]), diversity=0.5)
    assert batch.add(0)
    assert batch.take(Ranking(np.array([0.0, 0.9, 0.8]), np.zeros(3, int)), 1) == [2]


def test_no_brand_gets_more_than_its_most():
    chosen = select(
        pool(n=2000), budget=60, mix={"hard_negatives": 0.5, "uncertain": 0.5}, seed=0,
        most=np.array([3, 3, 50, 50, 50]),
    )  # fmt: skip
    counts = np.bincount([choice.focus_brand for choice in chosen], minlength=5)
    assert counts[:2].tolist() == [3, 3]
    assert counts.sum() == 60


def test_embeddings_are_asked_for_once_though_one_brand_leads_every_ranking():
    rng = np.random.default_rng(0)
    n, brands = 4000, 20
    looks = rng.normal(size=(n, 16))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    known, reads = set(), []

    def embeddings(items):
        reads.append(len(set(items.tolist()) - known))
        known.update(items.tolist())
        return looks[items]

    dense = rng.random((n, brands)) * 0.4
    dense[: n // 2, 0] += 0.5
    scored = pool(
        n=n, brands=brands, dense=dense / 2, thresholds=np.full(brands, 0.1),
        embeddings=embeddings,
    )  # fmt: skip
    chosen = select(scored, budget=60, mix=MIX, seed=0, most=np.full(brands, 3))
    assert len(chosen) == 60
    assert sum(new > 0 for new in reads) == 1
    assert len(known) < n / 2


@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 5))
def test_however_little_of_it_is_looked_at_a_ranking_is_taken_from_the_top(n, room, seed):
    rng = np.random.default_rng(seed)
    values = np.round(rng.random(n), 1)  # many ties
    values[rng.random(n) < 0.2] = -np.inf
    batch = Batch(np.arange(n), None, diversity=0.3)
    expected = [i for i in np.argsort(-values, kind="stable") if values[i] > -np.inf]
    assert batch.take(Ranking(values, np.zeros(n, int)), room) == expected[:room]


def test_shards_give_the_pool_that_they_hold(tmp_path):
    rng = np.random.default_rng(0)
    names = [list(rng.permutation(["a", "b", "x"])) for _ in range(6)]
    looks = rng.normal(size=(6, 4)).astype(np.float16)
    table = pa.table(
        {
            "group": ["g1", "g2", "g1", "g3", "g2", "g4"],
            "classifier_brands": names,
            "classifier_scores": pa.array([[0.6, 0.2, 0.1]] * 6, pa.list_(pa.float32())),
            "classifier_none": pa.array(np.full(6, 0.1, np.float32)),
            "embedding": pa.array(list(looks), pa.list_(pa.float16())),
        }
    )
    shards = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    pq.write_table(table.slice(0, 4), shards[0])
    pq.write_table(table.slice(4), shards[1])
    counts = {"thresholds": np.full(2, 0.5), "probe_hits": np.zeros(2), "probe_draws": np.zeros(2)}
    read = read_pool(shards, brands=["a", "b"], **counts)
    first = [next(name for name in row if name != "x") for row in names]
    assert read.best_brand.tolist() == [["a", "b"].index(name) for name in first]
    same = read.groups[:, None] == read.groups[None, :]
    assert same.sum() == 6 + 2 + 2
    assert same[0, 2] and same[1, 4]
    assert read.embeddings(np.array([5, 0, 4])) == pytest.approx(looks[[5, 0, 4]].astype(float))
    pq.write_table(table.drop_columns(SCORES[1]), shards[1])
    with pytest.raises(InputError, match="not a shard"):
        read_pool(shards, brands=["a", "b"], **counts)


def test_labels_that_the_other_images_speak_against_are_suspicious():
    rng = np.random.default_rng(4)
    true = np.repeat([0, 1, 2], 40)
    looks = rng.normal(0, 0.3, (120, 6))
    looks[np.arange(120), true] += 1
    said = true.copy()
    wrong = rng.permutation(120)[:10]
    said[wrong] = (said[wrong] + 1) % 3
    value = suspicion(left_out_chances(looks, said, list(range(120))), said)
    assert len(set(np.argsort(-value)[:10]) & set(wrong)) >= 9
    assert (value[np.setdiff1d(np.arange(120), wrong)] < 0).mean() > 0.95


def test_a_near_duplicate_with_the_same_wrong_label_does_not_vouch_for_it():
    rng = np.random.default_rng(5)
    true = np.repeat([0, 1], 40)
    looks = rng.normal(0, 0.3, (80, 30))
    looks[np.arange(80), true] += 1
    looks[1], said = looks[0], true.copy()
    said[[0, 1]] = 1
    groups = ["pair", "pair", *range(2, 80)]
    value = suspicion(left_out_chances(looks, said, groups), said)
    assert set(np.argsort(-value)[:2]) == {0, 1}
