"""Reads of annotation for pages and API: each a bounded number of queries, whatever the size."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, Min, Prefetch, Q, QuerySet
from django.utils import timezone

from annotation.models import (
    Brand,
    Consensus,
    Feature,
    GuidelineVersion,
    Image,
    InboxEvent,
    Label,
    LabelStudioProject,
    Question,
    Task,
)

IN_FORCE = Q(superseded_by__isnull=True, retracted=False)
BY_PEOPLE = ~Q(source=Label.Source.IMPORT)


def labels() -> QuerySet[Label]:
    """Labels in force with all that a card shows, newest first."""
    return Label.objects.filter(IN_FORCE).select_related(
        "image__product", "brand", "by", "task__focus_brand"
    )


def images() -> QuerySet[Image]:
    """Images with product, source's brand and consensus."""
    return Image.objects.select_related("product", "weak_brand").prefetch_related(
        Prefetch("consensus", Consensus.objects.select_related("brand").order_by("kind"))
    )


def tasks() -> QuerySet[Task]:
    return Task.objects.select_related("image", "focus_brand", "guideline")


def brands() -> QuerySet[Brand]:
    """Brands with their published guideline as `published` (a list of one or none)."""
    return Brand.objects.prefetch_related(
        Prefetch(
            "guidelines",
            GuidelineVersion.objects.filter(state=GuidelineVersion.State.PUBLISHED),
            to_attr="published",
        )
    )


def published(brand: Brand) -> GuidelineVersion | None:
    """The published guideline of a brand read by `brands`."""
    found: list[GuidelineVersion] = brand.published  # type: ignore[attr-defined]  # by `to_attr`
    return found[0] if found else None


def label_counts() -> dict[int, int]:
    """Trusted images a brand, by its id."""
    rows = Consensus.objects.filter(kind=Task.Kind.BRAND, trusted=True, brand__isnull=False)
    return dict(rows.values_list("brand").annotate(n=Count("pk")).order_by())


def guideline(*, brand: Brand) -> GuidelineVersion | None:
    """The published guideline with its features and example pictures."""
    return (
        brand.guidelines.filter(state=GuidelineVersion.State.PUBLISHED)
        .select_related("published_by")
        .prefetch_related(Prefetch("features", Feature.objects.prefetch_related("examples")))
        .first()
    )


def splits() -> dict[str, int]:
    """Images by split."""
    return dict(Image.objects.values_list("split").annotate(n=Count("pk")).order_by())


def label_totals() -> dict[str, Any]:
    """`{"total", "today", "last_at"}` of people's labels in force, and of the questions they ask
    `{"questions", "oldest_question"}`: how many are open, and since when the oldest waits."""
    day = timezone.now() - timedelta(days=1)
    is_open = Q(asked__state=Question.State.OPEN)
    return Label.objects.filter(IN_FORCE, BY_PEOPLE).aggregate(
        total=Count("pk"),
        today=Count("pk", filter=Q(created_at__gte=day)),
        last_at=Max("created_at"),
        questions=Count("asked", filter=is_open),
        oldest_question=Min("asked__asked_at", filter=is_open),
    )


def backlog() -> dict[str, dict[str, Any]]:
    """By kind of task: how many in each state, since when the oldest open one waits, and the
    last push."""
    states = {state: Count("pk", filter=Q(state=state)) for state in Task.State.values}
    open_states = Q(state__in=[Task.State.WAITING, Task.State.PUSHING, Task.State.PUSHED])
    rows = (
        Task.objects.values("kind")
        .annotate(
            **states,
            oldest=Min("created_at", filter=open_states),
            last_push=Max("pushed_at"),
            last_answer=Max("answered_at"),
        )
        .order_by()
    )
    return {row["kind"]: dict(row) for row in rows}


def sync_projects() -> list[LabelStudioProject]:
    return list(LabelStudioProject.objects.all())


def inbox() -> dict[str, Any]:
    """The webhook's inbox: `{"stored", "open", "failed", "last_at", "oldest_open"}`."""
    is_open = Q(processed_at__isnull=True)
    return InboxEvent.objects.aggregate(
        stored=Count("pk"),
        open=Count("pk", filter=is_open),
        failed=Count("pk", filter=~Q(error="")),
        last_at=Max("received_at"),
        oldest_open=Min("received_at", filter=is_open),
    )


def failed_events(*, limit: int = 20) -> list[InboxEvent]:
    return list(InboxEvent.objects.exclude(error="").defer("payload").order_by("-pk")[:limit])
