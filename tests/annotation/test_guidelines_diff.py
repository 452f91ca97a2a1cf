"""What changed between two versions: texts by line and word, points, pictures, regions."""

from dataclasses import replace

from annotation.guideline_content import Content, ExampleDraft, FeatureDraft
from annotation.guideline_diff import Change, compare, compare_texts

BOX = {"x1": 10, "y1": 10, "x2": 50, "y2": 50}
MOVED = {"x1": 15, "y1": 10, "x2": 55, "y2": 50}
FAR = {"x1": 70, "y1": 70, "x2": 90, "y2": 90}


def point(text: str, *regions: dict, kind: str = "logo", file: str = "a.png") -> FeatureDraft:
    return FeatureDraft(kind, text, False, [ExampleDraft(file, 96, 96, list(regions))])


def test_lines_side_by_side_with_the_words_that_differ():
    lines = compare_texts("same\nold word here\ngone", "same\nnew word here\n")
    assert [line.change for line in lines] == ["same", "changed", "removed"]
    assert lines[1].before == [("old", True), (" word here", False)]
    assert lines[1].after == [("new", True), (" word here", False)]
    assert lines[2].after is None


def test_chinese_is_compared_by_the_character():
    [line] = compare_texts("鞋舌上的标志", "鞋跟上的标志")
    assert [text for text, differs in line.after if differs] == ["跟"]


def test_nothing_differs_when_only_the_note_does():
    content = Content("Look.", "", 12, "one", [point("stripes", BOX)])
    assert compare(before=content, after=replace(content, change_note="two")).is_empty


def test_rules_and_smallest_logo_are_named_only_when_they_change():
    difference = compare(before=Content("a", "b", 12), after=Content("a", "c", None))
    assert list(difference.texts) == ["not_violations"]
    assert difference.least_logo == (12, None)
    assert not difference.is_empty


def test_points_are_matched_added_and_removed():
    before = [point("three stripes on the side", BOX), point("the old name", file="b.png")]
    after = [point("a new pattern", file="c.png"), point("three stripes on the heel", BOX)]
    changes = compare(before=Content(features=before), after=Content(features=after)).features
    assert [change.change for change in changes] == ["added", "changed", "removed"]
    assert changes[1].parts == ["text"]
    assert changes[2].before == before[1]


def test_regions_are_same_moved_added_or_removed():
    before = [point("stripes", BOX, FAR)]
    after = [point("stripes", MOVED, {"x1": 0, "y1": 80, "x2": 5, "y2": 90})]
    [change] = compare(before=Content(features=before), after=Content(features=after)).features
    assert (change.change, change.parts) == (Change.CHANGED, ["examples"])
    [example] = change.examples
    assert example.change == Change.CHANGED
    assert [(r.change, r.before, r.after) for r in example.regions] == [
        ("changed", BOX, MOVED),
        ("added", None, {"x1": 0, "y1": 80, "x2": 5, "y2": 90}),
        ("removed", FAR, None),
    ]


def test_a_picture_replaced_is_one_gone_and_one_new():
    before, after = [point("stripes", BOX)], [point("stripes", BOX, file="z.png")]
    [change] = compare(before=Content(features=before), after=Content(features=after)).features
    assert [example.change for example in change.examples] == ["added", "removed"]


def test_another_order_alone_is_a_change():
    one, two = point("one"), point("two", file="b.png")
    difference = compare(before=Content(features=[one, two]), after=Content(features=[two, one]))
    assert not difference.is_empty
    assert all(change.parts == ["position"] for change in difference.features)


def test_everything_is_new_beside_nothing():
    features = [point("one", BOX), point("two", kind="pattern", file="b.png")]
    difference = compare(before=Content(), after=Content("rules", features=features))
    assert [change.change for change in difference.features] == ["added", "added"]
    assert difference.texts["rules"][0].change == Change.ADDED
