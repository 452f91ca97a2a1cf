"""Boxes of several people: figures calculated by hand."""

import pytest

from annotation.quality.boxes import Seen, disagreement, match, merge


def box(x1, y1, x2, y2, brand="nike"):
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "brand": brand}


def corners(found):
    return [found[side] for side in ("x1", "y1", "x2", "y2")]


def test_boxes_that_coincide_are_averaged_side_by_side():
    merged = merge(seen=[Seen("a", [box(0, 0, 10, 10)]), Seen("b", [box(2, 0, 12, 10)])])
    # They share 8 x 10 of 120: IoU 2/3.
    assert corners(merged.boxes[0]) == [1, 0, 11, 10]
    assert merged.boxes[0]["brand"] == "nike"
    assert merged.boxes[0]["support"] == 1
    assert merged.disagreement == pytest.approx(1 / 3)


def test_a_heavier_voice_pulls_the_mean():
    seen = [Seen("a", [box(0, 0, 10, 10)], weight=3), Seen("b", [box(2, 0, 12, 10)], weight=1)]
    assert corners(merge(seen=seen).boxes[0]) == [0.5, 0, 10.5, 10]


def test_what_only_one_of_three_saw_is_dropped_and_counts_as_disagreement():
    both, extra = box(0, 0, 10, 10), box(50, 50, 60, 60)
    merged = merge(seen=[Seen("a", [both]), Seen("b", [both]), Seen("c", [both, extra])])
    assert [corners(found) for found in merged.boxes] == [[0, 0, 10, 10]]
    # Pairs: a-b agree wholly, a-c and b-c half each: mean 2/3.
    assert merged.disagreement == pytest.approx(1 / 3)


def test_half_of_the_weight_is_no_majority():
    merged = merge(seen=[Seen("a", [box(0, 0, 10, 10)]), Seen("b", [])])
    assert merged.boxes == []
    assert merged.disagreement == 1


def test_a_trusted_person_outweighs_two_who_saw_nothing():
    seen = [Seen("a", [box(0, 0, 10, 10)], weight=0.95), Seen("b", [], 0.4), Seen("c", [], 0.4)]
    assert len(merge(seen=seen).boxes) == 1


def test_another_brand_at_the_same_place_is_another_box():
    seen = [Seen("a", [box(0, 0, 10, 10)]), Seen("b", [box(0, 0, 10, 10, "puma")])]
    assert merge(seen=seen).boxes == []


def test_matching_takes_the_pairs_that_overlap_most_in_all():
    # Greedy would give the first box its best partner and leave the second without one.
    ours = [box(0, 0, 10, 10), box(3, 0, 13, 10)]
    theirs = [box(1, 0, 11, 10), box(-2, 0, 8, 10)]
    pairs, overlaps = match(ours, theirs)
    assert sorted(pairs) == [(0, 1), (1, 0)]
    assert overlaps == pytest.approx([80 / 120, 80 / 120])


def test_overlap_below_a_half_is_not_the_same_mark():
    assert match([box(0, 0, 10, 10)], [box(5, 0, 15, 10)]) == ([], [])


def test_alone_there_is_no_disagreement_and_of_nobody_nothing():
    assert merge(seen=[]).boxes == []
    alone = merge(seen=[Seen("a", [box(0, 0, 10, 10)])])
    assert (len(alone.boxes), alone.disagreement) == (1, 0)


def test_all_who_saw_nothing_agree():
    assert disagreement(seen=[Seen("a", []), Seen("b", [])]) == 0
