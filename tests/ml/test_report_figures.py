"""Figures of a report against torchmetrics and counting by hand."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_recall,
)

from ml.evaluate.calibration import BINS, calibration_error
from ml.evaluate.confusion import confusion, matrix, wrong_pairs
from ml.evaluate.judging import judge
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.report import build_report
from ml.evaluate.scored import Scored
from ml.evaluate.sweep import at_fixed_thresholds, mean_recall_over, precision_of_flags, sweep
from tests.ml.made_outcomes import BRANDS, made


def closed_tensors(data, rows):
    mask = rows.split == "closed"
    target = [BRANDS.index(name) for name in rows.truth[mask]]
    return torch.tensor(data.scores[mask]), torch.tensor(target)


@pytest.mark.parametrize("seed", range(3))
def test_recall_calibration_and_confusion_are_those_of_torchmetrics(seed):
    data, rows = made(seed=seed)
    scores, target = closed_tensors(data, rows)
    closed = rows.branded("closed")
    recall = multiclass_recall(scores, target, len(BRANDS), average="macro")
    assert mean_recall_over(closed, np.array([0.0]))[0] == pytest.approx(float(recall))
    error = multiclass_calibration_error(scores, target, len(BRANDS), n_bins=BINS, norm="l1")
    assert calibration_error(closed.score, closed.own) == pytest.approx(float(error), abs=1e-5)
    expected = multiclass_confusion_matrix(scores, target, len(BRANDS)).tolist()
    assert matrix(closed.truth, closed.said, BRANDS).tolist() == expected
    assert confusion(closed)["confusion"]["counts"] == expected


def test_per_brand_recall_at_the_threshold_is_that_of_torchmetrics():
    data, rows = made(seed=4)
    scores, target = closed_tensors(data, rows)
    # Below the threshold counts as a class of its own, which is never the truth.
    said = torch.where(scores.max(dim=1).values > 0.5, scores.argmax(dim=1), len(BRANDS))
    expected = multiclass_recall(said, target, len(BRANDS) + 1, average="none").tolist()
    report = build_report("classifier", data, rows, {"*": 0.5})
    per_brand = report["closed"]["per_brand"]
    assert [per_brand[b]["recall"] for b in BRANDS] == pytest.approx(expected[:-1])
    low, high = report["closed"]["interval"]
    assert low < report["closed"]["mean_recall"] < high


def test_the_most_frequent_wrong_pair_comes_first():
    _, rows = made(seed=2)
    pairs = wrong_pairs(rows.branded("closed"))
    counts = [pair["n"] for pair in pairs]
    assert counts == sorted(counts, reverse=True)
    assert all(pair["true"] != pair["said"] for pair in pairs)
    closed = rows.branded("closed")
    assert sum(counts) == (closed.said != closed.truth).sum()


def test_every_point_of_the_sweep_is_what_its_threshold_gives():
    _, rows = made(seed=1)
    closed, opened = rows.branded("closed"), rows.measured
    points = sweep(rows)["sweep"]
    for point in points:
        hit = closed.own & (closed.score > point["threshold"])
        recalls = [hit[closed.truth == brand].mean() for brand in BRANDS]
        assert point["recall"] == pytest.approx(np.mean(recalls))
        assert point["flag_ratio"] == (opened.score > point["threshold"]).mean()
        assert point["low"] <= point["recall"] <= point["high"]
    ratios = [point["flag_ratio"] for point in points]
    assert ratios == sorted(ratios)
    assert ratios[0] == 0.0


def test_fixed_thresholds_are_those_of_the_study_of_one_brand():
    _, rows = made(seed=1)
    lines = at_fixed_thresholds(rows)["fixed_thresholds"]
    assert [line["threshold"] for line in lines] == [0.5, 0.9, 0.99]
    opened = rows.measured
    over = opened.score > 0.5
    assert lines[0]["flag_ratio"]["value"] == pytest.approx(over.mean())
    assert lines[0]["precision"]["value"] == pytest.approx(opened.right[over].mean())


def test_precision_leaves_out_flags_nobody_answered_but_weighs_their_score_band():
    _, rows = made(seed=3, closed=0, opened=4000)
    flagged = rows.score > 0.3
    truth = rows.right[flagged].mean()
    # High scores were answered four times as often as low ones.
    rng = np.random.default_rng(0)
    band = rows.score > np.quantile(rows.score[flagged], 2 / 3)
    known = rng.random(len(rows)) < np.where(band, 0.8, 0.2)
    seen = type(rows)(**(vars(rows) | {"known": known}))
    found = precision_of_flags(seen, flagged)["precision"]
    assert found["low"] <= truth <= found["high"]
    naive = rows.right[flagged & known].mean()
    assert abs(found["value"] - truth) < abs(naive - truth) / 2
    assert found["n"] == (flagged & known).sum()


def test_without_a_known_truth_there_is_no_precision():
    data, _ = made()
    _, rows = made(answer=["brand"] * 120 + ["unlabelled"] * 200)
    report = build_report("classifier", data, rows, {"*": 0.5})
    assert "precision" not in report["open"]
    assert set(report["calibration"]) == {"closed"}


def test_the_variation_model_has_no_precision_as_its_right_flags_are_not_counted():
    data, _ = made(variation=(["collage", "none"] * 160))
    one = Scored(data.rows, ["variation"], data.scores[:, :1])
    thresholds, rows = judge("variation", one, flag_ratio=None)
    report = build_report("variation", one, rows, thresholds)
    assert set(report["closed"]["per_class"]) == {"collage"}
    assert report["open"]["n"] == 100
    assert "precision" not in report["open"]
    assert not {"confusion", "business"} & set(report)


def test_slices_add_up_and_name_what_is_not_known():
    n = 320
    attack = ["smear" if i % 3 == 0 else None for i in range(n)]
    data, rows = made(attack=attack, source=["one"] * n)
    share = np.full(n, np.nan)
    share[:60] = np.tile([0.005, 0.02, 0.2], 20)
    data = type(data)(data.rows, data.names, data.scores, box_share=share)
    found = build_report("classifier", data, rows, {"*": 0.5})["slices"]
    by = found["closed"]["attack"]
    assert {line["of"]: line["n"] for line in by} == {None: 80, "smear": 40}
    mine = np.array([value == "smear" for value in attack]) & (rows.split == "closed")
    assert by[1]["value"] == pytest.approx(rows.hit[mine].mean())
    assert [(line["of"], line["n"]) for line in found["closed"]["logo_size"]] == [
        ("< 1%", 20), ("1–3%", 20), ("≥ 10%", 20), (None, 60),
    ]  # fmt: skip
    assert "source" not in found["closed"]
    assert sum(line["n"] for line in found["open"]["attack"]) == 200


def test_rows_of_one_group_widen_the_interval():
    alone, together = (
        build_report("classifier", *made(seed=6, grouped=size), {"*": 0.5}) for size in (1, 4)
    )
    width = [report["open"]["interval"][1] - report["open"]["interval"][0]
             for report in (alone, together)]  # fmt: skip
    assert alone["open"]["flag_ratio"] == together["open"]["flag_ratio"]
    assert width[1] > width[0]


def one_brand(n_closed: int, closed_scores: list[float], flags: list[tuple[str, float, str]]):
    """Closed rows of akira that score so, and open rows of (said, score, truth), each its own
    group; truth "?" is not known."""
    said = ["akira"] * n_closed + [name for name, _, _ in flags]
    truth = ["akira"] * n_closed + [name for _, _, name in flags]
    known = np.array([name != "?" for name in truth])
    right = np.array([a == b for a, b in zip(said, truth, strict=True)])
    score = np.array(closed_scores + [score for _, score, _ in flags])
    split = np.array(["closed"] * n_closed + ["open"] * len(flags))
    return Outcomes(
        split=split,
        truth=np.array([name if name not in ("?", "none") else "" for name in truth]),
        known=known,
        said=np.array(said),
        score=score,
        own=right,
        right=right,
        hit=right & (score > 0.5),
        flagged=score > 0.5,
        counted=split == "open",
        group=np.arange(len(said)),
    )


def wilson_by_hand(hits: float, n: float) -> tuple[float, float]:
    z, share = 1.959964, hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def test_figures_of_one_brand_are_those_counted_by_hand():
    closed = [0.4, 0.6, 0.95, 0.995]
    flags = [("akira", 0.6, "none"), ("akira", 0.95, "akira"), ("akira", 0.97, "none"),
             ("bodo", 0.99, "bodo"), ("akira", 0.3, "akira"), ("akira", 0.8, "?")]  # fmt: skip
    opened = flags + [("akira", 0.01, "none")] * 14
    rows = one_brand(4, closed, opened)
    lines = at_fixed_thresholds(rows, brands=BRANDS)["fixed_thresholds"]
    at_half, at_nine, at_most = (line["per_brand"]["akira"] for line in lines)
    assert at_half["recall"]["value"] == 3 / 4
    low, high = wilson_by_hand(3, 4)
    assert (at_half["recall"]["low"], at_half["recall"]["high"]) == pytest.approx((low, high))
    assert at_half["flag_ratio"]["value"] == 4 / 20
    low, high = wilson_by_hand(4, 20)
    assert at_half["flag_ratio"]["low"] == pytest.approx(low)
    assert at_half["flag_ratio"]["high"] == pytest.approx(high)
    # Three of its four flags were answered, one of them right.
    assert at_half["precision"]["value"] == pytest.approx(1 / 3)
    assert (at_half["precision"]["n"], at_half["precision"]["flagged"]) == (3, 4)
    # By the formula of two-phase sampling: (2/9 · 3/2)(1/3 − 1/4) + (1/3 · 3/4)/4 = 13/144, and
    # 2/9 over it is the effective number of draws.
    cases = 2 / 9 / (13 / 144)
    low, high = wilson_by_hand(cases / 3, cases)
    assert at_half["precision"]["low"] == pytest.approx(low)
    assert at_half["precision"]["high"] == pytest.approx(high)
    assert at_nine["recall"]["value"] == 2 / 4
    assert at_nine["flag_ratio"]["value"] == 2 / 20
    assert at_nine["precision"]["value"] == 1 / 2
    assert at_most["recall"]["value"] == 1 / 4
    assert at_most["flag_ratio"]["value"] == 0
    assert "precision" not in at_most, "nothing is flagged for it"


def test_what_cannot_be_measured_of_a_brand_is_left_out_and_not_zero():
    flags = [("bodo", 0.9, "?"), ("akira", 0.2, "none")]
    rows = one_brand(2, [0.9, 0.9], flags)
    found = at_fixed_thresholds(rows, brands=BRANDS)["fixed_thresholds"][0]["per_brand"]
    assert set(found["bodo"]) == {"flag_ratio"}, "no closed row of it, and no answer to its flag"
    assert found["cyan"]["flag_ratio"]["value"] == 0
    assert set(found) == set(BRANDS)
