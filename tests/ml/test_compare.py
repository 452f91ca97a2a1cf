"""Comparisons of two models on the same rows."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from ml.errors import InputError
from ml.evaluate.compare import compare, compare_scores, difference, holm, signs
from ml.evaluate.judging import judge
from ml.evaluate.pairing import open_scores, paired
from ml.evaluate.scored import Scored
from ml.evaluate.scores_file import read_scores, write_scores
from tests.ml.made_outcomes import BRANDS, made
from tests.ml.test_scan_and_evaluate import run


def save(path, data):
    thresholds, rows = judge("classifier", data, flag_ratio=None)
    write_scores(path, data, rows, kind="classifier", thresholds=thresholds)
    return path


def worse(data: Scored, share: float, seed: int = 9) -> Scored:
    """The same model, with the scores of that share of rows lost."""
    kept = np.random.default_rng(seed).random(len(data.rows)) > share
    return Scored(data.rows, data.names, data.scores * kept[:, None].astype(np.float32))


@pytest.fixture
def files(tmp_path):
    data, _ = made()
    return save(tmp_path / "a.parquet", data), save(tmp_path / "b.parquet", worse(data, 0.5))


def test_a_model_compared_with_itself_differs_in_nothing(files):
    found = compare(a=files[0], b=files[0])
    for part in (found["closed"], found["open"]):
        low, high = part["interval"]
        assert low == high == 0  # what both do alike varies in neither
        assert part["difference"] == 0
        assert (part["a_only"], part["b_only"], part["p"]) == (0, 0, 1.0)
        assert not part["distinguishable"]
    assert found["closed"]["images"]["a_only"] == found["closed"]["images"]["b_only"] == 0
    assert all("no difference that can be told" in said for said in found["verdict"])


def test_a_clear_loss_is_told_from_chance_and_counted(files):
    a, b = (read_scores(path).rows.branded("closed") for path in files)
    found = compare(a=files[0], b=files[1])
    closed = found["closed"]
    assert closed["difference"] == pytest.approx(closed["b"] - closed["a"])
    assert closed["interval"][0] < closed["difference"] < closed["interval"][1] < 0
    assert closed["a_only"] == (a.hit & ~b.hit).sum() > 10
    assert closed["b_only"] == 0
    assert closed["p"] == pytest.approx(binomtest(0, closed["a_only"]).pvalue)
    assert "lower" in found["verdict"][0]
    assert set(closed["per_brand"]) == set(BRANDS)
    for brand, row in closed["per_brand"].items():
        mine = a.truth == brand
        assert row["difference"] == pytest.approx(b.hit[mine].mean() - a.hit[mine].mean())


def test_equal_models_seem_different_once_in_20_times():
    rng = np.random.default_rng(4)
    told = 0
    for _ in range(200):
        a, b = rng.random((2, 150)) < 0.5
        found = difference(a, b, np.arange(150) // 2, strata=np.arange(150) // 50)
        told += found["distinguishable"]
    assert 2 <= told <= 20


def test_signs_count_groups_by_their_lead():
    a = np.array([True, True, False, False, True])
    b = np.array([False, False, True, False, True])
    assert signs(a, b, np.arange(5)) == (2, 1, 1.0)
    assert signs(a, b, np.array([0, 0, 0, 1, 2])) == (1, 0, 1.0)


def test_holm_multiplies_the_smallest_p_by_all_brands():
    assert holm({"a": 0.04, "b": 0.01, "c": 0.5}) == pytest.approx({"b": 0.03, "a": 0.08, "c": 0.5})


def test_rows_are_paired_by_image_whatever_their_order(files, tmp_path):
    data, _ = made()
    order = np.random.default_rng(0).permutation(len(data.rows))
    shuffled = Scored(data.rows.take(order), data.names, data.scores[order])
    other = save(tmp_path / "other.parquet", shuffled)
    assert compare(a=files[0], b=other)["closed"]["images"]["a_only"] == 0


def test_a_brand_that_one_model_does_not_know_is_left_out_and_named(files, tmp_path):
    data, _ = made()
    fewer = save(tmp_path / "c.parquet", Scored(data.rows, BRANDS[:3], data.scores[:, :3]))
    found = compare(a=files[0], b=fewer)
    assert found["not_shared"] == ["doro"]
    assert set(found["closed"]["per_brand"]) == set(BRANDS[:3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.slice(1), "rows differ: 1 only in .*, 0 only in"),
        (lambda rows: rows.set_column(3, "answer", [["other"] * len(rows)]), "truth differs in"),
    ],
)
def test_other_rows_are_refused_in_one_line(files, tmp_path, change, message, capsys):
    data, _ = made()
    rows = change(data.rows)
    other = save(tmp_path / "c.parquet", Scored(rows, BRANDS, data.scores[-len(rows) :]))
    with pytest.raises(InputError, match=message):
        paired(read_scores(files[0]), read_scores(other))
    assert run("compare", "--a", files[0], "--b", other, "--json", tmp_path / "c.json") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "c.json").exists()


def test_a_variation_model_is_not_compared_with_a_classifier(files, tmp_path):
    data, _ = made()
    one = Scored(data.rows, ["variation"], data.scores[:, :1])
    thresholds, rows = judge("variation", one, flag_ratio=None)
    path = tmp_path / "v.parquet"
    write_scores(path, one, rows, kind="variation", thresholds=thresholds)
    with pytest.raises(InputError, match="find different things"):
        paired(read_scores(files[0]), read_scores(path))


def test_saved_scores_come_back_as_they_were(files):
    _, rows = made()
    saved = read_scores(files[0])
    assert saved.names == BRANDS
    assert saved.thresholds == {"*": 0.5}
    for name in ("truth", "said", "score", "hit", "flagged", "counted", "right", "known"):
        assert (getattr(saved.rows, name) == getattr(rows, name)).all()
    assert compare_scores(saved, saved)["closed"]["n"] == 120


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ({"kind": "classifier"}, "evaluate with --scores"),
        ({"models": {"classifier": {}}}, "choose one with --kind"),
        ({"scores": "nowhere.parquet"}, "no such scores file"),
        ([], "names no scores"),
    ],
)
def test_a_report_without_its_scores_says_what_to_do(tmp_path, report, message):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    with pytest.raises(InputError, match=message):
        open_scores(path)


def test_a_file_of_something_else_is_refused(tmp_path, files):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a scores file"):
        read_scores(path)
    with pytest.raises(InputError, match="no such scores file"):
        open_scores(tmp_path / "y.parquet")
