"""What people answered to items whose answer is known, and to items others answered too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet

from annotation.models import GoldItem, Label, Task
from annotation.models.label import Answer
from annotation.opinions import IN_FORCE

SAME_BOXES = 0.5  # of a gold item's boxes and the answer's coincide: right


@dataclass(frozen=True)
class GoldAnswer:
    """One answer to a gold item; `right` is None for "not sure", which is neither."""

    label: Label
    gold: GoldItem
    right: bool | None

    @property
    def at(self) -> datetime:
        return self.label.created_at


def labels(*, kind: str | None = None) -> QuerySet[Label]:
    """All answers to gold items that stand, oldest first."""
    found = Label.objects.filter(IN_FORCE, task__gold__isnull=False, by__isnull=False)
    if kind is not None:
        found = found.filter(kind=kind)
    return found.select_related("task__gold__brand", "brand", "by").order_by("created_at", "pk")


def of_person(*, user: User, kind: str, since: datetime | None = None) -> list[GoldAnswer]:
    """One person's gold answers, oldest first."""
    found = labels(kind=kind).filter(by=user)
    return read(found.filter(created_at__gt=since) if since else found)


def read(found: Iterable[Label]) -> list[GoldAnswer]:
    answers = []
    for label in found:
        assert label.task is not None  # noqa: S101 - by the filter
        gold = label.task.gold
        answers.append(GoldAnswer(label, gold, is_right(label=label, gold=gold)))
    return answers


def is_right(*, label: Label, gold: GoldItem) -> bool | None:
    """Whether an answer is the known one."""
    if label.answer == Answer.UNSURE:
        return None
    if gold.kind == Task.Kind.VARIATION:
        return label.variation == gold.variation
    if gold.kind == Task.Kind.BOXES:
        return same_boxes(label.boxes or [], gold.boxes or [])
    return (label.answer, label.brand_id) == (gold.answer, gold.brand_id)


def same_boxes(ours: Sequence[dict], theirs: Sequence[dict]) -> bool:
    from annotation.quality.boxes import Seen, disagreement

    return disagreement(seen=[Seen("a", ours), Seen("b", theirs)]) <= 1 - SAME_BOXES
