"""What the gate lets through, and the figures it gives for it."""

import pytest
from django.utils import translation

from active_learning.gate import flag_limit, judge, mean_recall, reasons_in_words


def classifier(recall=0.6, flagged=0.01, n=2000, **per_brand):
    report = {
        "closed": {"mean_recall": recall},
        "open": {"flag_ratio": flagged, "threshold": 0.9, "n": n},
        "thresholds": {"*": 0.9},
    }
    if per_brand:
        report["closed"]["per_brand"] = {
            name: {"recall": value, "n": 9} for name, value in per_brand.items()
        }
    return report


def verdict(candidate, champion=None, kind="classifier", **options):
    theirs = {kind: champion} if champion else None
    found = judge(candidate_report={kind: candidate}, champion_report=theirs, **options)[kind]
    return found | {"reasons": reasons_in_words(found)}


@pytest.mark.parametrize(
    ("recall", "passed"), [(0.60, True), (0.595, True), (0.58, False), (0.70, True)]
)
def test_recall_may_not_fall_by_more_than_the_tolerance(recall, passed):
    found = verdict(classifier(recall=recall), classifier(recall=0.60))
    assert found["passed"] is passed
    assert f"{recall:.3f}" in found["reasons"][0]
    assert "0.600" in found["reasons"][0]
    assert found["reasons"][0].startswith("not met") is not passed


def test_flags_over_the_budget_fail_whatever_the_recall():
    found = verdict(classifier(recall=0.9, flagged=0.04), classifier())
    assert not found["passed"]
    assert "4.00%" in found["reasons"][1]


def test_flags_over_the_budget_but_under_the_champions_pass():
    assert verdict(classifier(flagged=0.04), classifier(flagged=0.05))["passed"]


def test_the_fewer_the_open_images_the_more_is_left_to_chance():
    assert flag_limit(rows=100) > flag_limit(rows=10_000) > flag_limit(rows=10**8) > 0.01


def test_the_first_of_its_kind_passes_with_its_figures_told():
    found = verdict(classifier(recall=0.0, flagged=0.04))
    assert found["passed"]
    assert "0.000, the first of its kind" in found["reasons"][0]
    assert "4.00%" in found["reasons"][1]
    assert verdict({"map50": 0.0}, kind="detector")["passed"]


def test_a_model_that_was_not_measured_does_not_pass():
    found = verdict({"thresholds": {"*": 0.5}}, classifier())
    assert not found["passed"]
    assert "no closed-set recall was measured" in found["reasons"][0]


@pytest.mark.parametrize(("map50", "passed"), [(0.41, True), (0.39, True), (0.35, False)])
def test_a_detector_is_judged_by_its_average_precision(map50, passed):
    found = verdict({"map50": map50}, {"map50": 0.40}, kind="detector")
    assert found["passed"] is passed
    assert "0.400" in found["reasons"][0]


def test_a_detector_without_boxes_to_measure_by_is_judged_by_recall():
    assert verdict(classifier(recall=0.5), classifier(recall=0.4), kind="detector")["passed"]


def test_each_model_is_judged_by_itself():
    found = judge(
        candidate_report={"classifier": classifier(0.7), "variation": classifier(0.3)},
        champion_report={"classifier": classifier(0.6), "variation": classifier(0.6)},
    )
    assert {kind: one["passed"] for kind, one in found.items()} == {
        "classifier": True,
        "variation": False,
    }


def test_where_the_brand_list_changed_only_shared_brands_are_compared():
    candidate = classifier(recall=0.4, acme=0.8, new=0.0)
    champion = classifier(recall=0.8, acme=0.8, gone=0.8)
    assert not verdict(candidate, champion)["passed"]
    assert verdict(candidate, champion, brands={"acme"})["passed"]
    assert mean_recall(candidate, {"acme"}) == 0.8


def test_the_reasons_are_told_in_the_readers_language():
    found = judge(candidate_report={"detector": {"map50": 0.3}}, champion_report=None)["detector"]
    with translation.override("zh-hans"):
        (said,) = reasons_in_words(found)
    assert "0.300" in said
    assert said != reasons_in_words(found)[0]
