"""Reads of labelers' questions: the inbox, and all that helps to answer one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Aggregate, Count, F, FloatField, Min, Prefetch, Q, QuerySet
from django.db.models.functions import Extract
from django.utils import timezone

from annotation.labelstudio.payload import KEYS, offered
from annotation.models import (
    Brand,
    Consensus,
    Feature,
    GuidelineVersion,
    Label,
    Question,
    ReturnedTask,
    Task,
)
from annotation.selectors import IN_FORCE
from annotation.selectors.cases import nearest_cases

RECENT = timedelta(days=30)


class Median(Aggregate):
    """PostgreSQL's interpolated median."""

    function = "PERCENTILE_CONT"
    name = "median"
    output_field = FloatField()
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


def questions() -> QuerySet[Question]:
    """Questions with what a row shows, oldest first."""
    return Question.objects.select_related(
        "task__image__product", "task__focus_brand", "asked_by", "answered_by", "brand",
        "label__brand",
    )  # fmt: skip


def figures() -> dict[str, Any]:
    """`{"open", "oldest", "answered", "median"}`: open questions and since when the oldest waits;
    those answered in the last 30 days and the median seconds that took."""
    answered = Q(state=Question.State.ANSWERED, answered_at__gte=timezone.now() - RECENT)
    is_open = Q(state=Question.State.OPEN)
    seconds = Extract(F("answered_at") - F("asked_at"), "epoch")
    return Question.objects.aggregate(
        open=Count("pk", filter=is_open),
        oldest=Min("asked_at", filter=is_open),
        answered=Count("pk", filter=answered),
        median=Median(seconds, filter=answered),
    )


def neighbours(
    *, question: Question, among: QuerySet[Question]
) -> tuple[Question | None, Question | None]:
    """The open question before this one and the one after it; past either end it goes round."""
    others = among.filter(state=Question.State.OPEN).exclude(pk=question.pk)
    order = [*others.order_by("asked_at", "pk").values_list("asked_at", "pk")]
    if not order:
        return None, None
    here = (question.asked_at, question.pk)
    after = next((place for place in order if place > here), order[0])
    before = next((place for place in reversed(order) if place < here), order[-1])
    found = Question.objects.in_bulk([after[1], before[1]])
    return found[before[1]], found[after[1]]


@dataclass(frozen=True)
class Context:
    """What is known about a question's image, for whoever answers it."""

    guidelines: Sequence[GuidelineVersion]
    others: Sequence[Label]
    consensus: Consensus | None
    cases: Sequence[tuple[Any, float]]
    brands: dict[str, Brand]  # by key on the keyboard
    returned: ReturnedTask | None


def context_of(*, question: Question) -> Context:
    """Everything beside the question itself; a bounded number of queries."""
    task = question.task
    others = list(
        Label.objects.filter(IN_FORCE, image_id=task.image_id, kind=task.kind)
        .exclude(pk=question.label_id)
        .select_related("by", "brand", "held__hold")
        .order_by("pk")
    )
    return Context(
        guidelines=shown_guidelines(task=task),
        others=others,
        consensus=Consensus.objects.filter(image_id=task.image_id, kind=task.kind)
        .select_related("brand")
        .first(),
        cases=nearest_cases(image=task.image, limit=3, exclude_group=False),
        brands=likely_brands(task=task, labels=[question.label, *others]),
        returned=ReturnedTask.objects.filter(question=question).first(),
    )


def shown_guidelines(*, task: Task) -> list[GuidelineVersion]:
    """The versions that stood beside the task, in their order, with features and examples."""
    features = Prefetch("features", Feature.objects.prefetch_related("examples"))
    versions = (
        GuidelineVersion.objects.filter(pk__in=task.guidelines_shown)
        .select_related("brand")
        .prefetch_related(features)
    )
    by_id = {version.pk: version for version in versions}
    return [by_id[pk] for pk in task.guidelines_shown if pk in by_id]


def likely_brands(*, task: Task, labels: Sequence[Label]) -> dict[str, Brand]:
    """Up to nine brands by their key on the keyboard: those the labeler was offered, on the keys
    they had there, and those that people answered."""
    named = [
        task.focus_brand.key if task.focus_brand else None,
        task.proposal.get("brand"),
        *task.proposal.get("candidates", []),
    ]
    found = {brand.key: brand for brand in Brand.objects.filter(key__in=[k for k in named if k])}
    keys = offered(task=task, brands=found)
    taken = {brand.pk for brand in keys.values()}
    for label in labels:
        free = next((key for key in KEYS if key not in keys), None)
        if label.brand is not None and label.brand.pk not in taken and free:
            keys[free] = label.brand
            taken.add(label.brand.pk)
    return dict(sorted(keys.items()))
