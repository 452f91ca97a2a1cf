"""What changed between two versions of a guideline: texts line by line, recognition points with
their pictures side by side."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from annotation.guideline_content import Content, ExampleDraft, FeatureDraft

Thing = TypeVar("Thing")
ALIKE = 0.5  # texts of one recognition point before and after
SAME_PLACE = 0.2  # overlap (intersection over union) of one region before and after


class Change(StrEnum):
    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True)
class Line:
    """A line of both sides; a side's (words, whether they are the change) in order, or None where
    it has no such line."""

    change: Change
    before: list[tuple[str, bool]] | None
    after: list[tuple[str, bool]] | None


@dataclass(frozen=True)
class RegionChange:
    change: Change
    before: dict[str, float] | None
    after: dict[str, float] | None


@dataclass(frozen=True)
class ExampleChange:
    change: Change
    before: ExampleDraft | None
    after: ExampleDraft | None
    regions: list[RegionChange] = field(default_factory=list)


@dataclass(frozen=True)
class FeatureChange:
    """`parts` names what changed in it: kind, text, registered, examples, position."""

    change: Change
    before: FeatureDraft | None
    after: FeatureDraft | None
    parts: list[str] = field(default_factory=list)
    text: list[Line] = field(default_factory=list)
    examples: list[ExampleChange] = field(default_factory=list)


@dataclass(frozen=True)
class Difference:
    """`texts` by field, those that changed; `least_logo` before and after, when it changed."""

    texts: dict[str, list[Line]]
    least_logo: tuple[int | None, int | None] | None
    features: list[FeatureChange]

    @property
    def is_empty(self) -> bool:
        changed = any(feature.change != Change.SAME for feature in self.features)
        return not (self.texts or self.least_logo or changed)


def compare(*, before: Content, after: Content) -> Difference:
    """All that differs. The note on what is new is no part of what labelers see, and left out."""
    texts = {
        name: compare_texts(old, new)
        for name, old, new in (
            ("rules", before.rules, after.rules),
            ("not_violations", before.not_violations, after.not_violations),
        )
        if old != new
    }
    logos = (before.least_logo, after.least_logo)
    return Difference(
        texts=texts,
        least_logo=logos if logos[0] != logos[1] else None,
        features=_compare_features(before.features, after.features),
    )


def compare_texts(before: str, after: str) -> list[Line]:
    """Lines side by side; a line that was reworded stands beside what became of it."""
    old, new = before.splitlines(), after.splitlines()
    lines: list[Line] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            lines += [Line(Change.SAME, [(text, False)], [(text, False)]) for text in old[i1:i2]]
            continue
        paired = min(i2 - i1, j2 - j1)
        for i in range(paired):
            lines.append(_reworded(old[i1 + i], new[j1 + i]))
        lines += [Line(Change.REMOVED, [(text, True)], None) for text in old[i1 + paired : i2]]
        lines += [Line(Change.ADDED, None, [(text, True)]) for text in new[j1 + paired : j2]]
    return lines


def _reworded(before: str, after: str) -> Line:
    """Two lines with the words that differ; Chinese is compared by the character."""
    old, new = (re.findall(r"[a-zA-Z0-9_]+|.", text) for text in (before, after))
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, False).get_opcodes():
        if i2 > i1:
            left.append(("".join(old[i1:i2]), tag != "equal"))
        if j2 > j1:
            right.append(("".join(new[j1:j2]), tag != "equal"))
    return Line(Change.CHANGED, left, right)


def _pair(
    before: Sequence[Thing], after: Sequence[Thing], likeness: Callable[[Thing, Thing], float]
) -> Iterator[tuple[Thing | None, Thing | None]]:
    """Each thing with what became of it, most alike first (a likeness of 0 pairs nothing), in the
    order of `after`; then what is gone."""
    found = sorted(
        (-likeness(old, new), abs(i - j), i, j)
        for i, old in enumerate(before)
        for j, new in enumerate(after)
    )
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for negative, _distance, i, j in found:
        if negative < 0 and j not in partner and i not in taken:
            partner[j] = i
            taken.add(i)
    for j, new in enumerate(after):
        yield (before[partner[j]] if j in partner else None), new
    for i, old in enumerate(before):
        if i not in taken:
            yield old, None


def _change(before: object | None, after: object | None, is_same: bool) -> Change:
    if before is None:
        return Change.ADDED
    if after is None:
        return Change.REMOVED
    return Change.SAME if is_same else Change.CHANGED


def _compare_features(
    before: Sequence[FeatureDraft], after: Sequence[FeatureDraft]
) -> list[FeatureChange]:
    changes = [_feature_change(old, new) for old, new in _pair(before, after, _feature_likeness)]
    if all(change.change == Change.SAME for change in changes):
        # The very same points, so that only their order can differ.
        moved = list(before) != list(after)
        return [
            FeatureChange(
                Change.CHANGED, one.before, one.after, ["position"], one.text, one.examples
            )
            if moved and before[i] != one.after
            else one
            for i, one in enumerate(changes)
        ]
    return changes


def _feature_likeness(before: FeatureDraft, after: FeatureDraft) -> float:
    if before == after:
        return 3.0
    words = difflib.SequenceMatcher(None, before.text, after.text, False).ratio()
    shown = {example.file for example in before.examples} & {e.file for e in after.examples}
    score = words + (1.0 if shown else 0.0) + (0.25 if before.kind == after.kind else 0.0)
    return score if words >= ALIKE or shown else 0.0


def _feature_change(before: FeatureDraft | None, after: FeatureDraft | None) -> FeatureChange:
    examples = [
        _example_change(old, new)
        for old, new in _pair(
            before.examples if before else [],
            after.examples if after else [],
            lambda old, new: 1.0 if old.file == new.file else 0.0,
        )
    ]
    parts = []
    if before and after:
        parts = [
            name
            for name in ("kind", "text", "registered", "examples")
            if getattr(before, name) != getattr(after, name)
        ]
    return FeatureChange(
        change=_change(before, after, before == after),
        before=before,
        after=after,
        parts=parts,
        text=compare_texts(before.text if before else "", after.text if after else ""),
        examples=examples,
    )


def _example_change(before: ExampleDraft | None, after: ExampleDraft | None) -> ExampleChange:
    regions = [
        RegionChange(_change(old, new, old == new), old, new)
        for old, new in _pair(
            before.regions if before else [], after.regions if after else [], _region_likeness
        )
    ]
    is_same = all(region.change == Change.SAME for region in regions)
    return ExampleChange(_change(before, after, is_same), before, after, regions)


def _region_likeness(before: dict[str, float], after: dict[str, float]) -> float:
    """Intersection over union, 0 below SAME_PLACE."""
    width = min(before["x2"], after["x2"]) - max(before["x1"], after["x1"])
    height = min(before["y2"], after["y2"]) - max(before["y1"], after["y1"])
    if width <= 0 or height <= 0:
        return 0.0
    inside = width * height
    overlap = inside / (_area(before) + _area(after) - inside)
    return overlap if overlap >= SAME_PLACE else 0.0


def _area(region: dict[str, float]) -> float:
    return (region["x2"] - region["x1"]) * (region["y2"] - region["y1"])
