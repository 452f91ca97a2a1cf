"""Which answers a change of a guideline puts in doubt. A label does not say by which recognition
point it was made, so the kind of change decides: see `reasons`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import BooleanField, F, Func, OuterRef, Q, Subquery, TextField, Value
from django.db.models.lookups import IsNull
from django.utils.translation import gettext as _

from annotation.guideline_diff import Change, Difference, FeatureChange
from annotation.models import Brand, Consensus, Feature, Task
from annotation.models.label import Answer

# A mark is boxed where it is a logo or a wordmark, or registered.
MARKS = (Feature.Kind.LOGO, Feature.Kind.WORDMARK)
# What a recognition point says; its pictures only show it.
MEANING = {"kind", "text", "registered"}
PROPOSAL = "task__proposal"


class Side(StrEnum):
    """Answers by what they say of the brand."""

    YES = "yes"  # it is this brand
    NO = "no"  # no brand, or one off the list, where this one was shown or on a key
    BOXES = "boxes"  # boxes of its marks, or that there are none


@dataclass(frozen=True)
class Reason:
    """One change, and the answers it puts in doubt. `sizes` narrows them to logos whose shorter
    side lies in [from, to) pixels, as far as boxes tell."""

    what: str
    why: str
    sides: frozenset[Side]
    sizes: tuple[int, int] | None = None

    @property
    def sides_in_words(self) -> list[str]:
        words = {
            Side.YES: _("answers that it is this brand"),
            Side.NO: _("answers “no brand” or “another” where this one was shown or on a key"),
            Side.BOXES: _("its boxes"),
        }
        return [words[side] for side in Side if side in self.sides]


def reasons(difference: Difference) -> list[Reason]:
    """What changed, each with the answers it touches:

    - rules, or what is not a violation, reworded: it is this brand, and it is none;
    - a recognition point added: it is none; gone: it is this brand; reworded: both; if it is a mark
      that is boxed, its boxes too;
    - only its pictures or regions: the boxes;
    - the smallest logo that counts: answers and boxes on logos of the sizes between.
    """
    found = []
    if "rules" in difference.texts:
        found.append(_reworded(_("The rules")))
    if "not_violations" in difference.texts:
        found.append(_reworded(_("What is not a violation")))
    for feature in difference.features:
        found += _of_feature(feature)
    if difference.least_logo is not None:
        found.append(_of_least_logo(*difference.least_logo))
    return found


def _reworded(what: str) -> Reason:
    return Reason(
        what,
        _("reworded: what was this brand may be none now, and the other way round"),
        frozenset({Side.YES, Side.NO}),
    )


def _of_feature(change: FeatureChange) -> Iterator[Reason]:
    feature = change.after or change.before
    if feature is None:
        return
    what = f"{_(Feature.Kind(feature.kind).label)}: {feature.text[:80]}"
    marks = {Side.BOXES} if feature.registered or feature.kind in MARKS else set()
    if change.change == Change.ADDED:
        why = _("added: pictures that show it may have been called none")
        yield Reason(what, why, frozenset({Side.NO} | marks))
    elif change.change == Change.REMOVED:
        why = _("gone: pictures that show only this are no longer the brand")
        yield Reason(what, why, frozenset({Side.YES} | marks))
    elif MEANING & set(change.parts):
        why = _("changed in meaning: more or less than before may count")
        yield Reason(what, why, frozenset({Side.YES, Side.NO} | marks))
    elif "examples" in change.parts:
        why = _("other pictures or regions: the mark is the same, where to box it may not be")
        yield Reason(what, why, frozenset({Side.BOXES}))


def _of_least_logo(before: int | None, after: int | None) -> Reason:
    low, high = sorted((before or 0, after or 0))
    sides = frozenset({Side.YES, Side.BOXES} if (after or 0) > (before or 0) else set(Side))
    why = (
        _("raised: logos of a shorter side from %(low)d to below %(high)d pixels no longer count")
        if (after or 0) > (before or 0)
        else _("lowered: logos of a shorter side from %(low)d to below %(high)d pixels count now")
    )
    return Reason(_("Smallest logo"), why % {"low": low, "high": high}, sides, (low, high))


def shown(*, version_ids: list[int]) -> Q:
    """Labels made with one of these versions before the eyes."""
    listed = _json_path("task__guidelines_shown", "$[*] ? (@ == $ids[*])", {"ids": version_ids})
    return Q(guideline__in=version_ids) | Q(listed)


def said_of(*, brand: Brand, version_ids: list[int]) -> dict[Side, Q]:
    """Labels by side. A brand whose guideline had no room beside the task may still be on a key."""
    offered = (
        Q(task__focus_brand=brand)
        | Q(task__proposal__brand=brand.key)
        | Q(task__proposal__candidates__contains=[brand.key])
        | shown(version_ids=version_ids)
    )
    none = Q(kind=Task.Kind.BRAND, answer__in=[Answer.NONE, Answer.OTHER])
    boxed = Q(task__focus_brand=brand) | Q(boxes__contains=[{"brand": brand.key}])
    return {
        Side.YES: Q(kind=Task.Kind.BRAND, brand=brand),
        Side.NO: none & offered,
        Side.BOXES: Q(kind=Task.Kind.BOXES, boxes__isnull=False) & boxed,
    }


def in_doubt(reason: Reason, sides: dict[Side, Q], *, brand: Brand) -> Q:
    """The labels that `reason` puts in doubt; `sides` as from `said_of`."""
    condition = Q(pk__in=[])
    for side in reason.sides:
        answers = sides[side]
        if reason.sizes is not None:
            answers &= _of_size(side, brand, *reason.sizes)
        condition |= answers
    return condition


def _of_size(side: Side, brand: Brand, low: int, high: int) -> Q:
    """Where a logo of such a size is known: by the boxes people drew, else by those the model
    proposed. A box task answered with no box may have passed over just such a logo."""
    if side == Side.BOXES:
        return Q(_sized("boxes", brand, low, high)) | Q(boxes=[]) & Q(
            _sized(PROPOSAL, brand, low, high)
        )
    if side == Side.NO:
        return Q(_sized(PROPOSAL, brand, low, high))
    # An answer without a logo is about a style or a pattern, whatever the size of logos.
    drawn = Subquery(
        Consensus.objects.filter(image=OuterRef("image"), kind=Task.Kind.BOXES).values("boxes")[:1]
    )
    return (Q(has_logo=True) | Q(has_logo__isnull=True)) & (
        Q(_sized(drawn, brand, low, high))
        | Q(IsNull(drawn, True)) & Q(_sized(PROPOSAL, brand, low, high))
    )


def _sized(column: str | Subquery, brand: Brand, low: int, high: int) -> Func:
    boxes = "$.boxes[*]" if column == PROPOSAL else "$[*]"
    width, height = "(@.x2 - @.x1)", "(@.y2 - @.y1)"
    path = (
        f"{boxes} ? (@.brand == $brand && {width} >= $low && {height} >= $low"
        f" && ({width} < $high || {height} < $high))"
    )
    return _json_path(column, path, {"brand": brand.key, "low": low, "high": high})


def _json_path(column: str | Subquery, path: str, values: dict) -> Func:
    """Whether a JSON column holds what an SQL/JSON path finds; a path is no text from outside."""
    return Func(
        F(column) if isinstance(column, str) else column,
        Func(Value(path), template="(%(expressions)s)::jsonpath", output_field=TextField()),
        Func(
            Value(json.dumps(values)), template="(%(expressions)s)::jsonb", output_field=TextField()
        ),
        function="jsonb_path_exists",
        template="COALESCE(%(function)s(%(expressions)s), false)",
        output_field=BooleanField(),
    )
