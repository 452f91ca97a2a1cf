"""What each gate lets through, and the figures it gives for it."""

import pytest
from django.utils import translation

from active_learning.gates import Contest, judge, reasons_in_words, unmet
from active_learning.gates.budgets import flag_limit, size, speed
from active_learning.gates.leakage import disjoint
from active_learning.gates.protected import hold
from active_learning.gates.recall import mean_recall, paired_recall
from active_learning.gates.slices import none_worse
from active_learning.sentences import in_words

OPEN = {"flag_ratio": 0.01, "threshold": 0.9, "n": 2000}


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
    contest = Contest(kind=kind, report=candidate, champion=champion, **options)
    found = judge({kind: contest})[kind]
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
        {
            "classifier": Contest("classifier", classifier(0.7), classifier(0.6)),
            "variation": Contest("variation", classifier(0.3), classifier(0.6)),
        }
    )
    assert {kind: one["passed"] for kind, one in found.items()} == {
        "classifier": True,
        "variation": False,
    }
    assert [(one["model"], one["gate"]) for one in unmet(found)] == [("variation", "recall")]


def test_where_the_brand_list_changed_only_shared_brands_are_compared():
    candidate = classifier(recall=0.4, acme=0.8, new=0.0)
    champion = classifier(recall=0.8, acme=0.8, gone=0.8)
    assert not verdict(candidate, champion)["passed"]
    assert verdict(candidate, champion, brands={"acme"})["passed"]
    assert mean_recall(candidate, {"acme"}) == 0.8


def test_what_gates_read_of_the_closed_set_counts_and_not_the_rest():
    candidate = classifier(recall=0.9) | {"gates": {"mean_recall": 0.5}}
    champion = classifier(recall=0.1) | {"gates": {"mean_recall": 0.6}}
    assert not verdict(candidate, champion)["passed"]
    boxed = {"map50": 0.9, "gates": {"map50": 0.1}}
    assert not verdict(boxed, {"map50": 0.1, "gates": {"map50": 0.5}}, kind="detector")["passed"]


def change(before, after, *, half=0.02, groups=1000, differing=40):
    difference = after - before
    return {
        "a": before, "b": after, "difference": difference,
        "interval": [difference - half, difference + half],
        "groups": groups, "a_only": differing // 2, "b_only": differing // 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("after", "passed"), [(0.62, True), (0.585, True), (0.571, True), (0.569, False), (0.4, False)]
)
def test_recall_fails_where_the_whole_paired_interval_lies_below_the_tolerance(after, passed):
    items, recall = paired_recall(change(0.6, after))
    assert items.passed
    assert recall.passed is passed
    assert f"{after - 0.6:+.3f}" in in_words(recall.reason)


@pytest.mark.parametrize(("after", "passed"), [(0.60, True), (0.70, True), (0.55, False)])
def test_too_few_test_items_say_how_many_it_takes_and_the_difference_decides(after, passed):
    items, recall = paired_recall(change(0.6, after, half=0.3, groups=20, differing=8))
    assert recall.passed is passed, "an interval that wide would let anything pass"
    said = in_words(items.reason)
    assert items.passed
    assert "20 test groups, 720 are needed to tell 0.05 from chance: too few" in said


def test_agreement_on_a_handful_of_items_is_not_taken_for_certainty():
    items, _ = paired_recall(change(0.6, 0.6, half=0.0, groups=8, differing=0))
    assert "too few" in in_words(items.reason)
    items, _ = paired_recall(change(0.6, 0.6, half=0.0, groups=500, differing=0))
    assert "too few" not in in_words(items.reason)


def test_fewer_items_than_the_least_are_no_test(settings):
    settings.GATE_LEAST_GROUPS = 5
    items, _ = paired_recall(change(0.6, 0.9, groups=4))
    assert not items.passed
    assert "at least 5" in in_words(items.reason)


def test_the_paired_figures_are_judged_where_there_are_some():
    paired = {"closed": change(0.6, 0.4) | {"per_brand": {}}, "dropped": [], "slices": []}
    found = verdict(classifier(0.9), classifier(0.1), paired=paired)
    assert not found["passed"]
    assert any("on the same images" in reason for reason in found["reasons"])


def brand(before, after, *, n=40, half=0.05):
    difference = after - before
    return {"a": before, "b": after, "n": n, "interval": [difference - half, difference + half]}


@pytest.mark.parametrize(
    ("row", "passed"),
    [
        (brand(0.8, 0.78), True),
        (brand(0.8, 0.7), False),  # fallen by more than its interval allows
        (brand(0.52, 0.48), False),  # not by more, but below the floor now
        (brand(0.52, 0.48, n=19), True),  # on too few images to say so
        (brand(0.2, 0.3), True),  # below it as before, and higher
        (brand(0.32, 0.3), False),
    ],
)
def test_a_protected_brand_keeps_its_recall_and_the_floor(row, passed):
    (found,) = hold(protected={"acme": "Acme"}, changes={"acme": row}, dropped=[])
    assert found.passed is passed
    if not passed:
        assert "Acme, protected" in in_words(found.reason)


def test_a_protected_brand_may_not_be_dropped_and_others_may_fall():
    (found,) = hold(protected={"acme": "Acme"}, changes={}, dropped=["acme"])
    assert not found.passed
    assert list(hold(protected={}, changes={"b": brand(0.9, 0.1)}, dropped=["c"])) == []


def test_no_part_of_the_test_sets_may_be_worse_beyond_chance():
    line = {"set": "closed", "by": "has_logo", "of": False, "a": 0.5, "b": 0.2, "n": 80, "p": 0.001}
    assert none_worse([line | {"p_adjusted": 0.06}]).passed
    found = none_worse([line | {"p_adjusted": 0.03}, line | {"p_adjusted": 0.9}])
    assert not found.passed
    assert "1 of 2 parts" in in_words(found.reason)
    assert "visible mark False: recall 0.200, the champion 0.500" in in_words(found.reason)
    assert none_worse([]).passed


@pytest.mark.parametrize(
    ("own", "theirs", "passed"),
    [
        (400.0, 300.0, True),
        (501.0, 400.0, False),  # over the budget
        (301.0, 100.0, False),  # over three times the champion's
        (49.0, 5.0, True),  # cheap, whatever the champion takes
        (400.0, None, True),
    ],
)
def test_a_model_stays_within_the_time_budget_and_a_multiple_of_the_champions(own, theirs, passed):
    found = speed(own, theirs, first=False)
    assert found.passed is passed
    assert f"{own:.1f} ms" in in_words(found.reason)


def test_size_is_judged_as_time_is_and_a_first_model_only_told():
    assert not size(251, None, first=False).passed
    assert size(251, None, first=True).passed
    assert verdict(classifier() | {"megabytes": 9.0, "milliseconds": 4.0}, classifier())["passed"]
    costly = classifier() | {"megabytes": 999.0}
    assert not verdict(costly, classifier())["passed"]


def test_a_group_in_training_and_test_fails_and_so_does_not_knowing():
    assert disjoint([]).passed
    assert not disjoint(["7", "12"]).passed
    assert "2 (the first: 12)" in in_words(disjoint(["7", "12"]).reason)
    assert not disjoint(None).passed
    assert not verdict(classifier(), shared=["7"])["passed"], "even of a first model"


def test_the_reasons_are_told_in_the_readers_language():
    found = judge({"detector": Contest("detector", {"map50": 0.3, "open": OPEN})})["detector"]
    with translation.override("zh-hans"):
        said = reasons_in_words(found)[1]
    assert "1.00%" in said
    assert said != reasons_in_words(found)[1]
