"""The outbox in the database: which tasks are to go to Label Studio, and where it holds those that
went."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation.models import Task

# Gold is shown again and again, a returned task waits for one person: neither is part of what the
# people at work get through, nor waits for them to.
BESIDE_THE_WINDOW = Q(is_gold=True) | Q(only_for__isnull=False)


def claim(*, kind: str, limit: int, beside_window: bool = False) -> list[Task]:
    """Take the tasks that are to be asked first out of the outbox: those of everybody, or with
    `beside_window` those the window does not count."""
    which = BESIDE_THE_WINDOW if beside_window else ~BESIDE_THE_WINDOW
    ids = list(sendable(kind=kind).filter(which).values_list("pk", flat=True)[:limit])
    now = timezone.now()
    Task.objects.filter(pk__in=ids, state=Task.State.WAITING).update(
        state=Task.State.PUSHING, claimed_at=now
    )
    claimed = Task.objects.filter(pk__in=ids, state=Task.State.PUSHING, claimed_at=now)
    return list(claimed.select_related("image__product", "focus_brand"))


def sendable(*, kind: str) -> QuerySet[Task]:
    """The outbox of a kind. A box task must name the brand to look for; reconciliation reports
    those that do not."""
    waiting = Task.objects.filter(kind=kind, state=Task.State.WAITING)
    return waiting.exclude(focus_brand=None) if kind == Task.Kind.BOXES else waiting


def release(*, task_ids: Iterable[UUID]) -> None:
    """Give claims back to the outbox."""
    Task.objects.filter(pk__in=list(task_ids), state=Task.State.PUSHING).update(
        state=Task.State.WAITING, claimed_at=None
    )


def mark_pushed(*, remote_ids: Mapping[UUID, int]) -> None:
    """Note where Label Studio holds tasks. A task withdrawn meanwhile keeps its state."""
    with transaction.atomic():
        holders = Task.objects.filter(remote_id__in=list(remote_ids.values()))
        forget_remote(
            task_ids=[
                pk
                for pk, remote_id in holders.values_list("pk", "remote_id")
                if remote_ids.get(pk) != remote_id
            ]
        )
        for pk, remote_id in remote_ids.items():
            task = Task.objects.filter(pk=pk)
            changed = task.filter(state__in=[Task.State.WAITING, Task.State.PUSHING]).update(
                state=Task.State.PUSHED,
                remote_id=remote_id,
                pushed_at=timezone.now(),
                claimed_at=None,
            )
            if not changed:
                task.update(remote_id=remote_id)


def forget_remote(*, task_ids: Iterable[UUID]) -> None:
    """Note that Label Studio does not hold these tasks any more: it was wiped or restored, and
    may have given their numbers to others. Unanswered ones go back to the outbox."""
    lost = Task.objects.filter(pk__in=list(task_ids))
    with transaction.atomic():
        lost.filter(state__in=[Task.State.PUSHING, Task.State.PUSHED]).update(
            state=Task.State.WAITING, claimed_at=None, pushed_at=None, remote_id=None
        )
        lost.update(remote_id=None)
