"""The form that answers a question: the verdicts it offers, and what they say as a label."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _

from annotation.labels import Content
from annotation.labelstudio.configs import NONE, OTHER, UNSURE
from annotation.models import Brand, Question, Task
from annotation.models.case import Case
from annotation.models.label import Answer, Variation
from annotation.questions import QuestionError

AS_DRAWN = "@as_drawn"


@dataclass(frozen=True)
class Filled:
    """The form as it was filled in."""

    verdict: str = ""
    brand: str = ""
    reply: str = ""
    as_case: bool = False
    case_kind: str = Case.Kind.MASS_STYLE
    as_gold: bool = False

    @classmethod
    def of(cls, posted: QueryDict) -> "Filled":
        return cls(
            verdict=posted.get("verdict", ""),
            brand=posted.get("brand", "").strip(),
            reply=posted.get("reply", ""),
            as_case="as_case" in posted,
            case_kind=posted.get("case_kind", ""),
            as_gold="as_gold" in posted,
        )


@dataclass(frozen=True)
class Choice:
    """One verdict of the form: its key on the keyboard, what it posts, what it says."""

    key: str
    value: str
    text: str


def choices(*, asked: Question, brands: Mapping[str, Brand]) -> list[Choice]:
    """The verdicts that fit a question, `brands` by their key on the keyboard."""
    kind = asked.task.kind
    unsure = Choice("u", UNSURE, _("Cannot be told"))
    if kind == Task.Kind.VARIATION:
        keys = zip("012", Variation, strict=True)
        return [*(Choice(k, v.value, _(v.label)) for k, v in keys), unsure]
    if kind == Task.Kind.BOXES:
        drawn = asked.label.boxes
        right = [Choice("1", AS_DRAWN, _("The boxes are right"))] if drawn else []
        return [*right, Choice("0", NONE, _("No mark to box")), unsure]
    return [
        *(Choice(key, brand.key, _full_name(brand)) for key, brand in brands.items()),
        Choice("0", NONE, _("No brand")),
        Choice("o", OTHER, _("Another brand")),
        unsure,
    ]


def _full_name(brand: Brand) -> str:
    return f"{brand.name_en} {brand.name_zh}".strip()


def content_of(*, asked: Question, filled: Filled) -> Content | None:
    """The verdict as a label says it; None when there is none.

    Raises QuestionError for a verdict that the form does not offer.
    """
    verdict, kind = filled.verdict, asked.task.kind
    if not verdict:
        return None
    if verdict == UNSURE:
        return Content(answer=Answer.UNSURE)
    if kind == Task.Kind.VARIATION and verdict in Variation.values:
        return Content(variation=verdict)
    if kind == Task.Kind.BOXES and verdict in (NONE, AS_DRAWN):
        return Content(boxes=(asked.label.boxes or []) if verdict == AS_DRAWN else [])
    if kind == Task.Kind.BRAND:
        return _brand_content(verdict, filled.brand)
    raise QuestionError(_("There is no such verdict: %(verdict)s.") % {"verdict": verdict})


def _brand_content(verdict: str, named: str) -> Content:
    if verdict == NONE:
        return Content(answer=Answer.NONE)
    name = named if verdict == OTHER else verdict
    if not name:
        return Content(answer=Answer.OTHER)
    by_name = Q(key__iexact=name) | Q(name_en__iexact=name) | Q(name_zh__iexact=name)
    found = list(Brand.objects.filter(by_name)[:2])
    if len(found) != 1:
        raise QuestionError(
            _("No brand is called “%(name)s”. Pick one of the list, or leave the field empty.")
            % {"name": name}
        )
    return Content(answer=Answer.BRAND, brand=found[0])
