"""Campaigns of labelling on small clouds of points, where what is right is known."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge
from sklearn.linear_model import LogisticRegression

from benchmarks import mixes
from ml.bench import label_efficiency
from ml.bench.label_efficiency import interval, labels_to, median_labels
from ml.bench.labels import worlds
from ml.bench.labels.badge import badge
from ml.bench.labels.campaign import growing, run_campaign, whole_pool
from ml.bench.labels.material import Material, rare_positives
from ml.bench.labels.strategies import STRATEGIES, by_random
from ml.bench.labels.title_looks import beside, title_looks
from ml.bench.labels.worlds import Size
from ml.cli import main
from ml.forecast.heads import Labelled
from ml.progress import Progress
from ml.synth import generate

BRANDS, DIMENSIONS = 3, 16


def never():
    return False


def clouds(rng, counts):
    """Points around one centre a brand, and none all over the sphere; L2-normalised."""
    centres = np.eye(BRANDS, DIMENSIONS)
    looks, answers = [], []
    for answer, count in enumerate(counts):
        centre = centres[answer] * 5.0 if answer < BRANDS else 0.0
        looks.append(centre + rng.normal(size=(count, DIMENSIONS)))
        answers += [answer] * count
    looks = np.concatenate(looks)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    return Labelled(looks.astype(np.float32), np.array(answers))


@pytest.fixture(scope="module")
def material():
    rng = np.random.default_rng(0)
    return Material(
        brands=BRANDS,
        given=clouds(rng, [2, 2, 2, 20]),
        pool=clouds(rng, [12, 8, 4, 600]),
        closed=clouds(rng, [60] * BRANDS + [0]),
        open_=clouds(rng, [0] * BRANDS + [1000]).looks,
        online=clouds(rng, [0] * BRANDS + [400]).looks,
    )


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_buys_whole_batches_and_nothing_twice(material, name):
    curve, bought = run_campaign(
        material, STRATEGIES[name], batches=[10, 10, 10], seed=0, should_stop=never
    )
    assert [labels for labels, _ in curve] == [0, 10, 20, 30]
    assert len(set(bought.tolist())) == 30
    assert all(0 <= recall <= 1 for _, recall in curve)


def test_a_campaign_depends_on_its_seed_alone(material):
    one, two, other = (
        run_campaign(material, STRATEGIES["mix"], batches=[10] * 3, seed=seed, should_stop=never)[
            1
        ].tolist()
        for seed in (1, 1, 2)
    )
    assert one == two != other


def test_all_labels_bought_is_the_quality_of_the_whole_pool(material):
    small = Material(
        material.brands, material.given, material.pool.only(np.arange(0, 624, 12)),
        material.closed, material.open_, material.online,
    )  # fmt: skip
    curve, _ = run_campaign(small, by_random, batches=[26, 30, 30], seed=0, should_stop=never)
    assert curve[-1] == curve[-2]  # nothing is left to buy
    assert curve[-1][0] == len(small.pool)
    assert curve[-1][1] == pytest.approx(whole_pool(small), abs=0.02)  # another order of rows


def test_the_mix_finds_rare_positives_that_random_draws_miss(material):
    shown = {}
    for name in ("mix", "random"):
        _, bought = run_campaign(
            material, STRATEGIES[name], batches=[10] * 6, seed=0, should_stop=never
        )
        shown[name] = int((material.pool.answers[bought] < BRANDS).sum())
    assert shown["mix"] >= 2 * shown["random"]


def test_a_pool_of_rare_positives_keeps_everything_else():
    pool = clouds(np.random.default_rng(0), [200, 200, 200, 900])
    places = rare_positives(pool.answers, brands=BRANDS, share=0.1, rng=np.random.default_rng(1))
    rare = pool.only(places)
    counts = np.bincount(rare.answers, minlength=BRANDS + 1)
    assert counts[BRANDS] == 900
    assert counts[:BRANDS].sum() == pytest.approx(100, abs=2)
    # Long-tailed: 1, ½ and ⅓ of 100 × 6/11.
    assert sorted(counts[:BRANDS]) == [18, 27, 55]


def test_batches_grow_by_a_tenth():
    assert growing(20, 4) == [20, 22, 24, 27]


def test_operating_points_are_set_by_open_images_that_are_not_tested():
    rng = np.random.default_rng(0)
    known = [
        worlds.Known([{"image": f"{name}{i}"} for i in range(sum(counts))], clouds(rng, counts))
        for name, counts in (
            ("pool", [9, 9, 9, 90]), ("training", [9, 9, 9, 90]), ("closed", [9, 9, 9, 0]),
            ("open", [1, 1, 1, 80]),
        )
    ]  # fmt: skip
    world = worlds.World(["a", "b", "c"], *known, champion=Path("champion"))
    drawn = worlds.drawn(world, "rare", np.random.default_rng(0))
    assert (len(drawn.online), len(drawn.open_)) == (20, 60)
    open_images = {row["image"] for row in drawn.images.tested if row["image"].startswith("open")}
    assert len(open_images) == 60
    without = worlds.drawn(replace(world, pool=None), "products", np.random.default_rng(0))
    assert len(without.given) + len(without.pool) == 117


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_badge_chooses_what_the_librarys_does(seed):
    rng = np.random.default_rng(seed)
    points = clouds(rng, [20, 20, 20, 240])
    known = np.arange(0, len(points), 10)
    rest = np.setdiff1d(np.arange(len(points)), known)
    answers = np.full(len(points), np.nan)
    answers[known] = points.answers[known]
    model = SklearnClassifier(LogisticRegression(C=30.0), classes=np.arange(BRANDS + 1))
    model.fit(points.looks[known], answers[known])
    expected = Badge(random_state=seed).query(
        X=points.looks, y=answers, clf=model, fit_clf=False, batch_size=40
    )
    # What the library makes of a seed before it draws.
    drawn = np.random.RandomState(seed).randint(1, 2**31) * (len(rest) + 1) % 2**31
    chosen = badge(
        points.looks[rest], model.predict_proba(points.looks[rest]), 40,
        rng=np.random.RandomState(drawn),
    )  # fmt: skip
    assert rest[chosen].tolist() == list(expected)


def test_badge_of_doubles_alone_asks_none_twice():
    looks, probabilities = np.ones((4, 2)), np.full((4, 3), 1 / 3)
    chosen = badge(looks, probabilities, 4, rng=np.random.default_rng(0))
    assert sorted(chosen) == [0, 1, 2, 3]


def test_labels_to_a_recall_by_hand():
    curve = [(0, 0.1), (10, 0.5), (20, 0.4), (30, 0.6)]
    assert labels_to(curve, 0.5) == 10
    assert labels_to(curve, 0.55) == 30
    assert labels_to(curve, 0.7) is None


def test_campaigns_that_never_got_there_count_in_the_median():
    assert median_labels([10, None, 30]) == 30
    assert median_labels([10, None, None]) is None


def test_the_interval_is_students():
    values = [0.2, 0.4, 0.45]
    mean, low, high = interval(values)
    expected = stats.t.interval(0.9, 2, loc=np.mean(values), scale=stats.sem(values))
    assert mean == pytest.approx(np.mean(values), abs=1e-4)
    assert (low, high) == pytest.approx(expected, abs=1e-4)
    assert interval([0.3]) == [0.3, 0.3, 0.3]


@pytest.mark.slow
def test_the_benchmark_plays_every_setting_with_every_strategy(tmp_path, monkeypatch):
    small = {"brands": 2, "train": 60, "closed": 12, "open_": 60, "pool": 80}
    short = {"epochs": 1, "warm_epochs": 1, "least_steps": 2}
    monkeypatch.setattr(label_efficiency, "QUICK", Size(world=small, picture=48, config=short))
    monkeypatch.setattr(label_efficiency, "QUICK_FIRST", 4)
    monkeypatch.setattr(label_efficiency, "FIRST", 10)
    monkeypatch.setattr(label_efficiency, "STEPS", 2)
    monkeypatch.setattr(label_efficiency, "DRAWS", 2)
    own = generate(
        **small, business=0, size=48, seed=9, out=tmp_path / "own", progress=Progress(quiet=True)
    )
    play = partial(
        label_efficiency.run, quick=True, progress=Progress(quiet=True), should_stop=never,
        manifest=own.path, keep=tmp_path / "kept",
    )  # fmt: skip
    play(seeds=1)
    result = play(seeds=2)
    kept = {one.name for one in (tmp_path / "kept").iterdir()}
    assert kept == {"work.json", "seed-1.json", "seed-2.json"}
    assert result == play(seeds=2)
    for setting in ("rare", "negatives", "products"):
        figures, ends = result[setting], [0, 10, 21] if setting == "products" else [0, 4, 8]
        assert figures["budget"] == ends[-1]
        assert set(figures["strategies"]) == set(STRATEGIES)
        for found in figures["strategies"].values():
            assert len(found["labels_to_90"]) == 4  # two campaigns a seed
            assert [labels for labels, *_ in found["curve"]] == ends
            assert all(low <= recall <= high for _, recall, low, high in found["curve"])
        for name in ("mix", "random") if setting != "products" else ():
            recalls = figures["strategies"][name]["retrained"]
            assert len(recalls) == 2  # of each seed's first
            assert all(0 <= recall <= 1 for recall in recalls)
    assert len(result["rows"]) == 3 * len(STRATEGIES)


def test_mixes_are_compared_on_the_same_draws(monkeypatch):
    rng = np.random.default_rng(0)

    def known(counts):
        points = clouds(rng, counts)
        return worlds.Known([{"image": f"{i}.png"} for i in range(len(points))], points)

    world = worlds.World(
        ["a", "b", "c"], pool=known([40, 40, 40, 600]), training=known([70, 70, 70, 60]),
        closed=known([30, 30, 30, 0]), open_=known([0, 0, 0, 500]), champion=Path("champion"),
    )  # fmt: skip
    monkeypatch.setattr(mixes, "generated", lambda *args, **more: world)
    monkeypatch.setattr(mixes, "FIRST", 4)
    monkeypatch.setattr(mixes, "STEPS", 2)
    rows = mixes.play(201, draws=2, should_stop=never)
    assert len(rows) == 2 * 2 * len(mixes.MIXES)
    assert rows == mixes.play(201, draws=2, should_stop=never)
    assert all(0 < row["early"] < 2 for row in rows)
    assert all(row["reached"].endswith(" of 2") for row in mixes.summary(rows))


def test_a_median_is_none_where_most_campaigns_were_over_before():
    rows = [
        {"setting": "rare", "mix": name, "labels": labels, "early": 0.5}
        for name in mixes.MIXES
        for labels in (60, 120, None)
    ]
    rows += [row | {"setting": "negatives", "labels": None} for row in rows]
    rare, negatives = (
        [row for row in mixes.summary(rows) if row["setting"] == setting]
        for setting in ("rare", "negatives")
    )
    assert {(row["labels to 90%"], row["reached"]) for row in rare} == {(120, "2 of 3")}
    assert {(row["labels to 90%"], row["reached"]) for row in negatives} == {(None, "0 of 3")}


@pytest.mark.parametrize("option", ["--manifest", "--keep"])
def test_a_benchmark_refuses_what_it_does_not_read(option, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "text", option, "x", "--json", str(tmp_path / "f.json")])
    assert stopped.value.code == 2
    assert f"takes no {option}" in capsys.readouterr().err


def test_titles_that_are_alike_lie_near_each_other():
    titles = ["red canvas shoes", "blue canvas shoes", "steel wrist watch", "", "wrist watch, gold"]
    looks = title_looks(titles)
    likeness = looks @ looks.T
    assert likeness[0, 1] > likeness[0, 2]
    assert likeness[2, 4] > likeness[1, 4]
    assert not looks[3].any()
    both = beside(np.eye(5, dtype=np.float32), looks)
    assert np.linalg.norm(both, axis=1) == pytest.approx(np.array([1, 1, 1, 0.5**0.5, 1]))
    assert np.linalg.norm(both[:, :5], axis=1) == pytest.approx(np.full(5, 0.5**0.5))
    assert title_looks(["", ""]).shape == (2, 0)
