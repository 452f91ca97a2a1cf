"""Reads of a labeler's own page. Nothing here tells which items were gold, why a task was chosen,
or what anybody else did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, F, FilteredRelation, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from annotation.assignments import open_count
from annotation.brand_groups import groups_to_pass
from annotation.models import (
    AnnotatorSkill,
    BrandGroup,
    Hold,
    Label,
    LabelStudioProject,
    Question,
    ReturnedTask,
)
from annotation.selectors import IN_FORCE

DAYS = 28  # what counts as lately
SHOWN = 20
LEAST_ANSWERS = 20  # fewer say nothing about a person


@dataclass(frozen=True)
class Start:
    """A way into Label Studio: the tasks of one kind that this person could be handed."""

    kind: str
    address: str
    open: int | None
    held: bool


@dataclass(frozen=True)
class Skill:
    """How often this person is right, by what is known of the answers so far; None while too few
    are known."""

    kind: str
    answers: int
    accuracy: float | None
    low: float
    high: float
    wanted: int = LEAST_ANSWERS


@dataclass(frozen=True)
class Progress:
    """Labels by day, oldest first, and how many of those that several people answered agree with
    what was decided."""

    days: Sequence[tuple[str, int]]
    today: int
    week: int
    total: int
    compared: int
    agreed: int

    @property
    def agreement(self) -> float | None:
        return self.agreed / self.compared if self.compared >= LEAST_ANSWERS else None


def holds(*, user: User) -> list[Hold]:
    """The kinds of task in which this person's labels are being looked at."""
    return list(Hold.objects.filter(user=user, released_at__isnull=True).order_by("kind"))


def starts(*, user: User, held: Sequence[Hold], counted: bool) -> list[Start]:
    """The ways in. `counted`: with how many tasks wait behind each, which takes a moment."""
    kinds = {hold.kind for hold in held}
    return [
        Start(
            kind=project.kind,
            address=f"{settings.GATEWAY_URL}/projects/{project.remote_id}/data?labeling=1",
            open=open_count(user=user, kind=project.kind) if counted else None,
            held=project.kind in kinds,
        )
        for project in LabelStudioProject.objects.all()
    ]


def tests_to_pass(*, user: User) -> list[BrandGroup]:
    return list(groups_to_pass(user=user).order_by("name"))


def returned_tasks(*, user: User) -> list[ReturnedTask]:
    """What went back to this person and is still to be answered, oldest first."""
    return list(
        ReturnedTask.objects.filter(to=user, state=ReturnedTask.State.OPEN).select_related(
            "task__image__product", "label__brand"
        )
    )


def answered_questions(*, user: User) -> list[Question]:
    """Replies to this person's questions, unread ones first, then the newest. What they took back
    themselves is left out."""
    closed = Question.objects.filter(asked_by=user).exclude(state=Question.State.OPEN)
    return list(
        closed.filter(answered_by__isnull=False)
        .select_related("task__image", "brand")
        .order_by(F("seen_at").desc(nulls_first=True), "-answered_at")[:SHOWN]
    )


def open_question_count(*, user: User) -> int:
    return Question.objects.filter(asked_by=user, state=Question.State.OPEN).count()


def skills(*, user: User) -> list[Skill]:
    """By kind of task, as last fitted."""
    return [
        Skill(
            kind=row.kind,
            answers=row.answers,
            accuracy=row.accuracy if row.answers >= LEAST_ANSWERS else None,
            low=row.low,
            high=row.high,
        )
        for row in AnnotatorSkill.objects.filter(user=user)
    ]


def progress(*, user: User) -> Progress:
    """The last four weeks; one query."""
    today = timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    said = Q(answer__in=["brand", "none", "other"]) | ~Q(variation="")
    settled = said & Q(decided__trusted=True, decided__votes__gte=2)
    same = Q(decided__answer=F("answer"), decided__variation=F("variation")) & (
        Q(decided__brand=F("brand")) | Q(decided__brand__isnull=True, brand__isnull=True)
    )
    rows = (
        Label.objects.filter(IN_FORCE, by=user, created_at__date__gte=first)
        .annotate(
            day=TruncDate("created_at"),
            decided=FilteredRelation(
                "image__consensus", condition=Q(image__consensus__kind=F("kind"))
            ),
        )
        .order_by()
        .values("day")
        .annotate(
            n=Count("pk"),
            compared=Count("pk", filter=settled),
            agreed=Count("pk", filter=settled & same),
        )
    )
    by_day = {row["day"]: dict(row) for row in rows}
    return _progress(by_day, [first + timedelta(days=i) for i in range(DAYS)])


def _progress(by_day: dict[date, dict], days: Sequence[date]) -> Progress:
    def total(name: str, since: date) -> int:
        return sum(row[name] for day, row in by_day.items() if day >= since)

    today = days[-1]
    return Progress(
        days=[(f"{day:%m-%d}", by_day[day]["n"] if day in by_day else 0) for day in days],
        today=total("n", today),
        week=total("n", today - timedelta(days=today.weekday())),
        total=total("n", days[0]),
        compared=total("compared", days[0]),
        agreed=total("agreed", days[0]),
    )


def own_labels(*, user: User) -> QuerySet[Label]:
    """What this person answered and stands, newest first."""
    return Label.objects.filter(IN_FORCE, by=user).select_related("image__product", "brand")
