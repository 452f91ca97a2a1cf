"""Who is asked what next. Tasks are handed out one at a time, each to as many people as its answers
are wanted from, and gold items among them unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from annotation import free_tasks
from annotation.brand_groups import barred_brands, without_barred
from annotation.gold_turns import next_gold
from annotation.models import Assignment, Hold, Label, Task
from annotation.opinions import IN_FORCE, others_could_answer

TRIES = 5
RESERVE = """
INSERT INTO annotation_assignment (task_id, to_id, state, created_at, expires_at)
VALUES (%s, %s, 'open', %s, %s)
ON CONFLICT (task_id, to_id) DO UPDATE SET
    state = 'open', created_at = excluded.created_at, expires_at = excluded.expires_at,
    done_at = NULL
RETURNING xmax = 0
"""


@dataclass(frozen=True)
class Handed:
    """A task and the person's first sight of it, or not."""

    task: Task
    first: bool


def next_task(*, user: User, kind: str) -> Task | None:
    """What `hand_out` hands out, alone."""
    handed = hand_out(user=user, kind=kind)
    return handed.task if handed else None


def hand_out(*, user: User, kind: str) -> Handed | None:
    """Pick the next task for a person and reserve it; the one they have open already, if any.

    None when there is nothing for them: everything is answered or handed out, they are held, or
    the tests of the brands in question are still to be passed.
    """
    with transaction.atomic():
        # One at a time a person: two windows opened at once are shown the same task.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if task := _open_task(user, kind):
            return Handed(task, first=False)
        if is_held(user=user, kind=kind):
            return None
        task = _returned(user, kind) or _for_everybody(user, kind)
        return _assign(task, user) if task else None


def may_open(*, user: User, task: Task) -> bool:
    """Whether a person may see a task: it was handed to them, or is theirs alone."""
    if task.only_for_id is not None:
        return task.only_for_id == user.pk
    return Assignment.objects.filter(task=task, to=user).exists()


def open_count(*, user: User, kind: str) -> int:
    """How many tasks wait that this person could be handed now, gold not counted."""
    if is_held(user=user, kind=kind):
        return 0
    return _theirs_alone(user, kind).count() + free_tasks.count(user=user, kind=kind)


def settle_assignment(*, task: Task, user: User | None) -> None:
    """An answer came: the reservation is used up."""
    if user is not None:
        Assignment.objects.filter(task=task, to=user).update(
            state=Assignment.State.DONE, done_at=timezone.now()
        )


def reopen_assignment(*, task: Task, user: User | None) -> None:
    """An answer was taken back: the person may be handed the task again."""
    if user is not None:
        Assignment.objects.filter(task=task, to=user).update(
            state=Assignment.State.EXPIRED, done_at=None
        )


def expire_assignments() -> int:
    """Give back what was reserved and left lying. Whoever asks for a task looks at the time
    itself; this keeps what pages count right."""
    return Assignment.objects.filter(
        state=Assignment.State.OPEN, expires_at__lt=timezone.now()
    ).update(state=Assignment.State.EXPIRED)


def is_held(*, user: User, kind: str) -> bool:
    return Hold.objects.filter(user=user, kind=kind, released_at__isnull=True).exists()


def _open_task(user: User, kind: str) -> Task | None:
    reserved = Assignment.objects.filter(
        to=user, state=Assignment.State.OPEN, task__kind=kind
    ).select_related("task")
    found = None
    for assignment in reserved:
        lapsed = assignment.expires_at <= timezone.now()
        if lapsed or assignment.task.state != Task.State.PUSHED:
            Assignment.objects.filter(pk=assignment.pk).update(state=Assignment.State.EXPIRED)
        else:
            found = assignment.task
    return found


def _theirs_alone(user: User, kind: str) -> QuerySet[Task]:
    done = Assignment.objects.filter(task=OuterRef("pk"), to=user, state=Assignment.State.DONE)
    return Task.objects.filter(~Exists(done), kind=kind, state=Task.State.PUSHED, only_for=user)


def _returned(user: User, kind: str) -> Task | None:
    return _theirs_alone(user, kind).order_by("created_at").first()


def _for_everybody(user: User, kind: str) -> Task | None:
    barred = barred_brands(user=user, kind=kind)
    return (
        next_gold(user=user, kind=kind, barred=barred)
        or free_tasks.lock_next(user=user, kind=kind, barred=barred)
        or _asked_twice(user, kind, barred)
    )


def _asked_twice(user: User, kind: str, barred: Mapping[int, str]) -> Task | None:
    """With nothing else to do: a new task on an image this person answered in an older one, if
    nobody else at work could answer it. Without it a round would wait for ever."""
    theirs = Label.objects.filter(IN_FORCE, by=user, kind=kind, image=OuterRef("image"))
    older = theirs.filter(created_at__lt=OuterRef("created_at"))
    answers = Label.objects.filter(IN_FORCE, task=OuterRef("pk"))
    had = Assignment.objects.filter(task=OuterRef("pk"), to=user)
    held_now = Assignment.objects.filter(
        task=OuterRef("pk"), state=Assignment.State.OPEN, expires_at__gt=timezone.now()
    )
    tasks = Task.objects.filter(
        Exists(older),
        ~Exists(answers),
        ~Exists(had.exclude(state=Assignment.State.EXPIRED)),
        ~Exists(held_now),
        kind=kind,
        state=Task.State.PUSHED,
        only_for__isnull=True,
        is_gold=False,
    )
    tasks = without_barred(tasks=tasks, barred=barred)
    locked = tasks.select_for_update(skip_locked=True, of=("self",), no_key=True)
    for task in locked.order_by("-priority", "created_at")[:TRIES]:
        if not others_could_answer(task=task):
            return task
    return None


def _assign(task: Task, user: User) -> Handed:
    """Reserve a task, anew where an earlier reservation of this person's ran out."""
    now, lasts = timezone.now(), timedelta(seconds=settings.ASSIGNMENT_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [task.pk, user.pk, now, now + lasts])
        (inserted,) = cursor.fetchone()
    return Handed(task, first=inserted)
