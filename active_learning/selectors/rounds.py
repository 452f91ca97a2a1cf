"""Rounds: what was chosen, why, and whether it paid."""

from dataclasses import dataclass

from django.db.models import Case, Count, F, Prefetch, Q, QuerySet, When
from django.db.models.fields.json import KeyTextTransform

from active_learning.measures import Figure, wilson
from active_learning.models import Round, RoundStep, Selection
from annotation.models import Label, Task
from annotation.selectors import IN_FORCE

CONTROL = "random_control"
PROBE = "probe"
LABEL_IN_FORCE = Q(
    task__labels__isnull=False,
    task__labels__superseded_by__isnull=True,
    task__labels__retracted=False,
)


def rounds() -> QuerySet[Round]:
    """Rounds, newest first, with steps, releases, scan and dataset."""
    return Round.objects.select_related(
        "champion", "candidate", "scan", "dataset", "forecast"
    ).prefetch_related(Prefetch("steps", RoundStep.objects.order_by("position")))


def selections(*, round_: Round) -> QuerySet[Selection]:
    """What a round chose, with image, product, focus brand and the answers in force (as
    `task.answers`), in the order it was ranked."""
    answers = Label.objects.filter(IN_FORCE).select_related("brand", "by").order_by("pk")
    return (
        Selection.objects.filter(round=round_)
        .select_related("task__image__product", "focus_brand")
        .prefetch_related(Prefetch("task__labels", answers, to_attr="answers"))
    )


@dataclass(frozen=True)
class Outcome:
    """What one strategy's items turned out to be.

    `answered`: items answered; `found`: share whose answer names a brand; `overruled`: share of
    those with a proposal where people answered something else; `hit`: share of the items chosen
    for a brand that do show it (for probes: the precision of the flags).
    """

    kind: str
    strategy: str
    chosen: int
    answered: int
    found: Figure | None
    overruled: Figure | None
    hit: Figure | None


def outcomes(*, round_: Round) -> list[Outcome]:
    """One row a kind of task and strategy; one query."""
    proposed_brand = KeyTextTransform("brand", "task__proposal")
    proposed = KeyTextTransform("answer", "task__proposal")
    sure = LABEL_IN_FORCE & ~Q(task__labels__answer="unsure") & ~Q(task__labels__answer="")
    rows = (
        Selection.objects.filter(round=round_)
        .annotate(
            proposed_answer=proposed,
            # A proposal "none" carries its likeliest brand too, which it does not propose.
            proposed_brand=Case(When(proposed_answer="brand", then=proposed_brand)),
        )
        .values("strategy", kind=F("task__kind"))
        .annotate(
            chosen=Count("task", distinct=True),
            answered=Count("task", distinct=True, filter=LABEL_IN_FORCE),
            sure=Count("task", distinct=True, filter=sure),
            found=Count("task", distinct=True, filter=sure & Q(task__labels__answer="brand")),
            compared=Count("task", distinct=True, filter=sure & Q(proposed_answer__isnull=False)),
            confirmed=Count(
                "task",
                distinct=True,
                filter=sure
                & (
                    Q(proposed_brand=F("task__labels__brand__key"))
                    | Q(proposed_answer="none", task__labels__answer__in=["none", "other"])
                ),
            ),
            focused=Count("task", distinct=True, filter=sure & Q(focus_brand__isnull=False)),
            hits=Count(
                "task", distinct=True, filter=sure & Q(task__labels__brand=F("focus_brand"))
            ),
        )
        .order_by("kind", "strategy")
    )
    return [_outcome(dict(row)) for row in rows]


def _outcome(row: dict) -> Outcome:
    is_brand = row["kind"] == Task.Kind.BRAND
    return Outcome(
        kind=row["kind"],
        strategy=row["strategy"],
        chosen=row["chosen"],
        answered=row["answered"],
        found=wilson(row["found"], row["sure"]) if is_brand else None,
        overruled=wilson(row["compared"] - row["confirmed"], row["compared"]) if is_brand else None,
        hit=wilson(row["hits"], row["focused"]) if is_brand else None,
    )
