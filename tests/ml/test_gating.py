"""What gates read of two models' scores."""

import json

import numpy as np
import pytest

from ml.evaluate.gating import gate_changes, gate_part
from ml.evaluate.pairing import paired
from ml.evaluate.report import build_report
from ml.evaluate.scored import Scored
from ml.evaluate.scores_file import read_scores
from ml.manifest import group_keys
from tests.ml.made_outcomes import BRANDS, made
from tests.ml.test_compare import save, worse
from tests.ml.test_scan_and_evaluate import run

ATTACKS = [["smear", "cover", None][i % 3] for i in range(320)]


@pytest.fixture
def data():
    return made(attack=ATTACKS, has_logo=[i % 2 == 0 for i in range(320)], grouped=2)[0]


def changes(tmp_path, before, after):
    return gate_changes(
        read_scores(save(tmp_path / "a.parquet", before)),
        read_scores(save(tmp_path / "b.parquet", after)),
    )


def lose(data, lost):
    return Scored(data.rows, data.names, data.scores * ~lost[:, None])


def test_gates_read_two_thirds_of_the_groups_and_always_the_same():
    keys = [f"group {i}" for i in range(3000)]
    read = gate_part(keys)
    assert 0.63 < read.mean() < 0.7
    assert (gate_part(keys[::-1]) == read[::-1]).all()


def test_what_is_lost_on_the_third_that_is_only_shown_changes_nothing_for_gates(data, tmp_path):
    hidden = ~gate_part(group_keys(data.rows))
    found = changes(tmp_path, data, lose(data, hidden))
    assert found["closed"]["difference"] == 0
    assert found["shown"]["b"] == 0
    assert found["shown"]["difference"] < 0
    assert found["closed"]["groups"] + found["shown"]["groups"] == len(
        set(group_keys(data.rows.slice(0, 120)))
    )
    assert all(line["p"] == 1 for line in found["slices"])


def test_the_report_tells_what_gates_read_apart(data):
    _, rows = made(attack=ATTACKS, has_logo=[i % 2 == 0 for i in range(320)], grouped=2)
    report = build_report("classifier", data, rows, {"*": 0.5})
    read = (rows.split == "closed") & gate_part(group_keys(data.rows))
    assert report["gates"]["n"] == read.sum() < report["closed"]["n"]
    expected = np.mean([rows.hit[read & (rows.truth == brand)].mean() for brand in BRANDS])
    assert report["gates"]["mean_recall"] == pytest.approx(expected)


def test_a_part_that_is_lost_is_found_among_all(data, tmp_path):
    smeared = np.array([attack == "smear" for attack in ATTACKS])
    found = changes(tmp_path, data, lose(data, smeared))
    worst = min(found["slices"], key=lambda line: line["p_adjusted"])
    assert (worst["by"], worst["of"], worst["b"]) == ("attack", "smear", 0)
    assert worst["p_adjusted"] < 0.01
    cover = next(line for line in found["slices"] if line["of"] == "cover")
    assert (cover["p"], cover["p_adjusted"]) == (1, 1)


def test_chance_makes_no_part_worse(data, tmp_path):
    alarms = 0
    for seed in range(20):
        a, b = worse(data, 0.3, seed=seed), worse(data, 0.3, seed=seed + 100)
        found = changes(tmp_path, a, b)
        alarms += min(line["p_adjusted"] for line in found["slices"]) < 0.05
    assert alarms <= 3


def test_brands_that_only_the_champion_knows_are_named(data, tmp_path):
    fewer = Scored(data.rows, BRANDS[:3], data.scores[:, :3])
    found = changes(tmp_path, data, fewer)
    assert found["dropped"] == ["doro"]
    assert set(found["closed"]["per_brand"]) == set(BRANDS[:3])


def test_what_an_evaluation_keeps_can_be_compared(
    small_world, small_classifier, small_variation, tmp_path
):
    code = run(
        "evaluate", "--model", small_classifier.directory, "--model", small_variation.directory,
        "--manifest", small_world.path, "--json", tmp_path / "r.json", "--flag-ratio", 0.2,
        "--scores", tmp_path / "s.parquet",
    )  # fmt: skip
    assert code == 0
    reports = json.loads((tmp_path / "r.json").read_text())["models"]
    for kind in ("classifier", "variation"):
        saved = read_scores(tmp_path / reports[kind]["scores"])
        found = gate_changes(*paired(saved, saved))
        assert found["closed"]["a"] == pytest.approx(reports[kind]["gates"]["mean_recall"])
        assert found["closed"]["groups"] == reports[kind]["gates"]["groups"]
        assert {line["by"] for line in found["slices"]} <= {"variation"}
