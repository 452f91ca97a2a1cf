"""What labels are likely to buy, and what chosen ones bought, on embeddings made up and through the
command on a world of a few seconds."""

import json

import numpy as np
import pytest

from ml.errors import Cancelled
from ml.forecast.changes import Changes
from ml.forecast.ground import Ground, Measured, Rows, measure
from ml.forecast.heads import Labelled, learn, probabilities
from ml.forecast.outlook import outlook
from ml.forecast.worth import compare_arms
from ml.manifest import write_manifest
from ml.progress import Progress
from tests.ml.command import run

BRANDS = ["acme", "globex", "initech"]
QUIETLY = {"progress": Progress(quiet=True), "should_stop": lambda: False}


def made(answers, *, seed=0, apart=3.0):
    """Embeddings of length 1 around an axis for each brand, and around none of them."""
    rng = np.random.default_rng(seed)
    answers = np.asarray(answers)
    looks = rng.normal(size=(len(answers), 8))
    shown = answers < len(BRANDS)
    looks[np.flatnonzero(shown), answers[shown]] += apart
    return Labelled(
        (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32), answers
    )


def ground(known, *, seed=9):
    closed = made(np.repeat([0, 1, 2], 60), seed=seed)
    opened = made(np.repeat([0, 1, 2, 3], [4, 4, 4, 388]), seed=seed + 1)
    return Ground(
        BRANDS,
        known,
        Rows(closed, np.arange(180).astype(object)),
        Rows(opened, np.arange(400).astype(object)),
    )


def test_a_head_begun_near_another_ends_where_one_begun_anew_does():
    known = made(np.repeat([0, 1, 2, 3], 30))
    more = made(np.repeat([0, 1, 2, 3], [32, 30, 30, 40]), seed=1)
    new, near = learn(more), learn(more, near=learn(known))
    found, expected = (probabilities(head, known.looks, 3) for head in (near, new))
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_labels_of_a_brand_hardly_known_are_forecast_to_help_it_most():
    known = made(np.repeat([0, 1, 2, 3], [2, 40, 40, 60]))
    asked = made(np.repeat([0, 3], [40, 10]), seed=2)
    chances = np.eye(4)[asked.answers] * 0.98 + 0.005
    report = outlook(
        ground(known), asked.looks, chances, flag_ratio=0.05, draws=20, seed=0, **QUIETLY
    )
    recall = {key: found["recall"] for key, found in report["brands"].items()}
    assert recall["acme"]["low"] > 0
    assert recall["acme"]["change"] > abs(recall["globex"]["change"]) + 0.1
    # The flags are shared: what one brand gains, its neighbours pay for.
    assert recall["globex"]["change"] < 0
    assert report["recall"]["low"] <= report["recall"]["change"] <= report["recall"]["high"]
    # What is said to be likely is near what the true answers would bring.
    first = ground(known)
    truth = [
        measure(learn(one), first, flag_ratio=0.05).hit[:60].mean()
        for one in (known, Labelled(np.concatenate([known.looks, asked.looks]),
                                    np.concatenate([known.answers, asked.answers])))
    ]  # fmt: skip
    assert recall["acme"]["low"] <= truth[1] - truth[0] <= recall["acme"]["high"] + 0.1


def test_the_same_seed_gives_the_same_forecast():
    known, asked = made(np.repeat([0, 1, 2, 3], 10)), made([0, 1, 3, 3], seed=4)
    reports = [
        outlook(
            ground(known), asked.looks, np.full((4, 4), 0.25), flag_ratio=0.05, draws=5, seed=seed,
            **QUIETLY,
        )
        for seed in (1, 1, 2)
    ]  # fmt: skip
    assert reports[0] == reports[1] != reports[2]


def test_chosen_labels_that_teach_are_worth_more_than_random_ones_that_do_not():
    known = made(np.repeat([0, 1, 2, 3], [1, 1, 1, 60]))
    chosen, control = made(np.repeat([0, 1, 2], 20), seed=5), made(np.full(70, 3), seed=6)
    report = compare_arms(
        ground(known), chosen, control, flag_ratio=0.05, draws=15, seed=0, **QUIETLY
    )
    assert report["recall"]["low"] > 0.05
    back = compare_arms(
        ground(known), control, chosen, flag_ratio=0.05, draws=15, seed=0, **QUIETLY
    )
    assert back["recall"]["high"] < -0.05


def test_changes_are_those_counted_by_hand_and_few_flags_say_nothing():
    answers = np.array([0] * 10 + [1] * 10)
    opened = np.array([0] * 30 + [2] * 70)
    made_up = Ground(
        BRANDS[:2],
        made(answers),
        Rows(made(answers), np.arange(20).astype(object)),
        Rows(made(opened), np.arange(100).astype(object)),
    )
    hit = np.zeros(20, bool)
    row = np.arange(100)
    before = Measured(hit, np.where(row < 60, 0, -1))
    after = Measured(~hit, np.where(row < 30, 0, np.where(row < 32, 1, -1)))
    changes = Changes(made_up, seed=0)
    for _ in range(200):
        changes.add(before, after)
    report = changes.report()
    assert report["recall"] == {"before": 0, "after": 1, "change": 1, "low": 1, "high": 1}
    assert report["brands"]["acme"]["precision"]["before"] == pytest.approx(0.5, abs=0.03)
    assert report["brands"]["acme"]["precision"]["after"] == 1
    assert report["brands"]["globex"]["precision"] is None


def test_a_brand_that_only_one_head_flags_does_not_shift_the_mean_over_brands():
    opened = np.array([0] * 30 + [1] * 12 + [2] * 58)
    row = np.arange(100)
    ground = Ground(
        BRANDS[:2],
        made(np.array([0] * 10 + [1] * 10)),
        Rows(made(np.array([0] * 10 + [1] * 10)), np.arange(20).astype(object)),
        Rows(made(opened), row.astype(object)),
    )
    changes, hit = Changes(ground, seed=0), np.zeros(20, bool)
    before = Measured(hit, np.where(row < 30, 0, -1))  # none of globex
    after = Measured(hit, np.where(row < 30, 0, np.where(row < 54, 1, -1)))  # half of them wrong
    for _ in range(50):
        changes.add(before, after)
    precision = changes.report()["precision"]
    assert precision == {"before": 1, "after": 1, "change": 0, "low": 0, "high": 0}


def test_a_forecast_can_be_stopped():
    known = made(np.repeat([0, 1, 2, 3], 10))
    with pytest.raises(Cancelled):
        outlook(
            ground(known), known.looks, np.full((40, 4), 0.25), flag_ratio=0.05, draws=5, seed=0,
            progress=Progress(quiet=True), should_stop=lambda: True,
        )  # fmt: skip


@pytest.fixture(scope="module")
def manifests(small_world, tmp_path_factory):
    """Of the small world: what is known, what is asked, and what both are tested on."""
    folder = tmp_path_factory.mktemp("parts")

    def part(splits, **changes):
        rows = [
            row | {"image": str(small_world.path.parent / row["image"])} | changes
            for row in small_world.rows(*splits).to_pylist()
        ]
        return str(write_manifest(rows, folder).path)

    return {
        "--known": part(["train"]),
        "--chosen": part(["pool"]),
        "--control": part(["open"], split="pool", answer="none"),
        "--test": part(["closed", "open"]),
    }


def arguments(manifests, *names):
    return [part for name in names for part in (name, manifests[name])]


def test_the_commands_write_their_reports(small_classifier, manifests, tmp_path):
    model = ["--model", small_classifier.directory, "--draws", 3, "--flag-ratio", 0.05]
    out = tmp_path / "forecast.json"
    asked = arguments(manifests, "--known", "--chosen", "--test")
    assert run("forecast", *model, *asked, "--json", out) == 0
    report = json.loads(out.read_text())
    assert (report["items"], report["draws"], report["closed"]) == (20, 3, 12)
    assert set(report["brands"]) == {"akira", "bodo", "cyan"}
    out = tmp_path / "worth.json"
    manifests = manifests | {"--chosen": manifests["--known"]}
    asked = arguments(manifests, "--known", "--chosen", "--control", "--test")
    assert run("worth", *model, *asked, "--json", out) == 0
    assert json.loads(out.read_text())["each"] == 40


@pytest.mark.parametrize("changes", [("--draws", 1), ("--chosen", "nowhere.parquet")])
def test_bad_input_ends_with_one_line(small_classifier, manifests, tmp_path, capsys, changes):
    model = ["--model", small_classifier.directory, "--json", tmp_path / "f.json"]
    asked = arguments(manifests, "--known", "--chosen", "--test")
    assert run("forecast", *model, *asked, *changes) == 2
    assert (changes[0] if changes[1] == 1 else changes[1]) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_classifier_is_refused(small_variation, manifests, tmp_path, capsys):
    asked = arguments(manifests, "--known", "--chosen", "--test")
    out = tmp_path / "f.json"
    assert run("forecast", "--model", small_variation.directory, *asked, "--json", out) == 2
    assert "a classifier is needed" in capsys.readouterr().err
