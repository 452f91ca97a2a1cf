"""Asking people: creating tasks. They wait in the outbox until Label Studio's window has room."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from annotation.models import Label, Task

OPEN = (Task.State.WAITING, Task.State.PUSHING, Task.State.PUSHED)


def create_tasks(*, tasks: Sequence[Task]) -> int:
    """Write tasks; one whose id is written already, or whose image has an open task of its kind,
    is left out. Returns how many were written.

    Callers that may be repeated give ids that follow from what the task is for.
    """
    before = Task.objects.filter(pk__in=[task.pk for task in tasks]).count()
    Task.objects.bulk_create(tasks, batch_size=500, ignore_conflicts=True)
    return Task.objects.filter(pk__in=[task.pk for task in tasks]).count() - before


def withdraw_tasks(*, task_ids: Sequence) -> int:
    """Take open tasks back. Those already in Label Studio are removed there by the reconciler,
    which knows them by their state; one that waited for a second opinion is left as answered."""
    with transaction.atomic():
        open_tasks = Task.objects.filter(pk__in=task_ids, state__in=OPEN)
        counts = Label.objects.filter(
            task=OuterRef("pk"), superseded_by__isnull=True, retracted=False
        )
        answered = open_tasks.filter(Exists(counts), is_gold=False).update(
            state=Task.State.ANSWERED, answered_at=timezone.now()
        )
        return answered + open_tasks.update(state=Task.State.WITHDRAWN)
