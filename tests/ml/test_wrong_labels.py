"""The benchmarks of cleaning and of audited labels: what they measure, on worlds of seconds."""

import json

import pyarrow as pa
import pytest

from ml.bench import arms, audit, cleaning
from ml.bench.find_figures import cause_figures, find_figures
from ml.bench.wrong_labels import CAUSES, WrongLabels, give_wrong_labels
from ml.clean.finds import FINDS
from ml.manifest import write_manifest
from ml.progress import Progress
from ml.synth import generate
from ml.synth.commerce import CUT_OFF
from tests.ml.command import run


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return generate(
        brands=3, train=120, closed=3, open_=6, business=6, pool=8, audit=8, size=48, seed=2,
        out=tmp_path_factory.mktemp("wrong") / "world", progress=Progress(quiet=True),
    )  # fmt: skip


def test_wrong_labels_are_known_one_by_one(world, tmp_path):
    wrong = give_wrong_labels(world, tmp_path, seed=1)
    given, true = wrong.given.table.to_pylist(), wrong.true.table.to_pylist()
    assert set(wrong.cause.values()) == set(CAUSES)
    for said, fact in zip(given, true, strict=True):
        assert said["image"] == fact["image"]
        assert (wrong.given.path.parent / said["image"]).is_file()
        assert (wrong.true.path.parent / said["image"]).is_file()
        answers = [(row["answer"], row["brand"]) for row in (said, fact)]
        assert (answers[0] != answers[1]) == (said["image"] in wrong.cause)
    weak = [image for image, why in wrong.cause.items() if why == "weak"]
    assert len(weak) == round(0.12 * 0.7 * 120)  # the catalogue's own share
    assert {row["answer"] for row in true if row["image"] in weak} == {"none"}
    again = give_wrong_labels(world, tmp_path / "again", seed=1)
    assert again.given.sha256 == wrong.given.sha256
    assert give_wrong_labels(world, tmp_path / "other", seed=2).given.sha256 != wrong.given.sha256


def known(tmp_path):
    """Six rows: a, b of the brand, c wrongly so, d wrongly none, e its copy, f none."""
    truth = {"a": "x", "b": "x", "c": None, "d": "x", "e": "x", "f": None}
    said = truth | {"c": "x", "d": None}

    def rows(answers):
        return [
            {
                "image": image, "sha256": image, "split": "train", "brand": brand,
                "answer": "brand" if brand else "none",
            }
            for image, brand in answers.items()
        ]  # fmt: skip

    return WrongLabels(
        write_manifest(rows(said), tmp_path / "given"),
        write_manifest(rows(truth), tmp_path / "true"),
        {"c": "weak", "d": "missed"},
        {"e": "d"},
    )


def test_finds_are_counted_by_hand(tmp_path):
    wrong = known(tmp_path)
    blank = {"sha256": "", "score": 0.5, "partner": None}
    finds = pa.Table.from_pylist(
        [
            blank | {"image": "c", "given": "x", "suggested": "none", "kind": "wrong_positive"},
            blank | {"image": "a", "given": "x", "suggested": "none", "kind": "wrong_positive"},
            blank | {"image": "d", "given": "none", "suggested": "x", "kind": "contradiction",
                     "partner": "e"},
        ],
        schema=FINDS,
    )  # fmt: skip
    said = [row["brand"] or "none" for row in wrong.given.table.to_pylist()]
    judged = pa.table(
        {"image": list("abcdef"), "given": said, "score": [0.7, 0.1, 0.6, 0.2, 0.3, 0.4]}
    )
    found = {row["kind"]: row for row in find_figures(wrong, finds, judged)}
    assert (found["all"]["found"], found["all"]["wrong"]) == (3, 2)
    assert found["all"]["precision"] == pytest.approx(2 / 3)
    assert found["all"]["recall"] == 1
    assert found["all"]["chance"] == pytest.approx(2 / 6)
    # By score: a, c (1 of 2), f, e, d (2 of 5).
    assert found["all"]["average_precision"] == pytest.approx((1 / 2 + 2 / 5) / 2)
    assert found["wrong_positive"]["precision"] == pytest.approx(1 / 2)
    assert found["wrong_positive"]["recall"] == 1
    assert found["wrong_negative"]["recall"] == 0
    assert found["wrong_negative"]["chance"] == pytest.approx(1 / 2)
    contradiction = found["contradiction"]
    assert (contradiction["precision"], contradiction["recall"]) == (1, 1)
    assert contradiction["truth_suggested"] == 1
    by_cause = {row["cause"]: row["recall"] for row in cause_figures(wrong, finds)}
    assert (by_cause["weak"], by_cause["missed"], by_cause["copy"]) == (1, 1, 0)


def test_training_sets_differ_in_what_a_person_looked_at(tmp_path):
    wrong = known(tmp_path)
    finds = pa.Table.from_pylist(
        [{"image": "d", "given": "none", "suggested": "x", "kind": "contradiction",
          "partner": "e"}],
        schema=FINDS,
    )  # fmt: skip
    sets, looks = cleaning.training_sets(wrong, finds, tmp_path, seed=0)
    answers = {
        name: {row["image"]: (row["answer"], row["brand"]) for row in one.table.to_pylist()}
        for name, one in sets.items()
    }
    assert looks == {
        "given": 0,
        "finds left out": 0,
        "finds corrected": 2,
        "random ones corrected": 2,
        "true": 6,
    }
    assert answers["finds left out"]["d"] == ("unlabelled", None)
    assert answers["finds left out"]["e"] == ("brand", "x")
    assert answers["finds corrected"]["d"] == ("brand", "x")
    assert answers["finds corrected"]["c"] == ("brand", "x")  # not found
    assert answers["true"]["c"] == ("none", None)


def test_audited_misses_are_like_the_business_set_and_none_of_it(world):
    rows = world.table.to_pylist()
    audited = [row for row in rows if row["source"] == "audit"]
    business = [row for row in rows if row["source"] == "business"]
    assert len(audited) == 8
    assert {row["split"] for row in audited} == {"train"}
    assert all(row["labelled_at"] < CUT_OFF for row in audited)
    assert {row["answer"] for row in audited} == {"brand"}
    assert not any(row["licensed"] for row in audited)
    for name in ("sha256", "group"):
        assert not {row[name] for row in audited} & {row[name] for row in business}


def test_audited_misses_leave_the_rest_of_the_world_as_it_was(tmp_path):
    few = {"brands": 2, "train": 3, "closed": 2, "open_": 2, "business": 2, "pool": 2, "size": 48}
    without, with_audit = (
        generate(
            **few, audit=audited, seed=2, out=tmp_path / str(audited), progress=Progress(quiet=True)
        ).table
        for audited in (0, 3)
    )
    is_rest = pa.array([source != "audit" for source in with_audit["source"].to_pylist()])
    assert len(with_audit) == len(without) + 3
    assert with_audit.filter(is_rest).equals(without)


def test_every_extra_set_adds_as_many_labels_to_the_same_base(world):
    sets = audit.training_sets(world, 8, seed=0)
    base = sets.pop("base")
    assert len(sets) == 3
    images = set(base["image"].to_pylist())
    for name, table in sets.items():
        more = [row for row in table.to_pylist() if row["image"] not in images]
        assert len(more) == 8, name
        assert {row["split"] for row in more} == {"train"}
        assert all(row["answer"] != "unlabelled" for row in more)
    tested = ("closed", "open", "business")
    for split in tested:
        assert base["split"].to_pylist().count(split) == len(world.rows(split))


@pytest.mark.slow
def test_the_benchmarks_measure_every_training_set(tmp_path, monkeypatch):
    small = {"brands": 2, "train": 150, "closed": 20, "open_": 60}
    monkeypatch.setattr(cleaning, "QUICK", small)
    monkeypatch.setattr(audit, "QUICK", small | {"business": 20})
    monkeypatch.setattr(audit, "QUICK_EXTRA", 10)
    for module in (cleaning, audit):
        monkeypatch.setattr(module, "QUICK_EPOCHS", 4)
    small_net = {"size": 32, "least_steps": 0, "backbone_args": {"channels": [8, 16, 16, 16]}}
    for module in (arms, cleaning):
        monkeypatch.setattr(module, "RECIPE", arms.RECIPE | small_net)
    for name, key in (("cleaning", "training"), ("audit", "mean")):
        out = tmp_path / f"{name}.json"
        assert run("bench", name, "--quick", "--json", out) == 0
        figures = json.loads(out.read_text())
        for row in figures[key]:
            assert 0 <= row["closed_mean_recall"] <= 1
            assert row["steps"] == pytest.approx(figures[key][0]["steps"], rel=0.15)
    business = [row for row in figures["mean"] if "business_logo" in row]
    assert len(business) == 4
