"""What rounds have to hear at once: what sets them in motion, where the sweep would find it seconds
later, and what becomes of their tasks."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from active_learning import rounds
from active_learning.models import Selection
from annotation.models import Task
from annotation.signals import answers_taken, tasks_pushed, tasks_renewed


def connect() -> None:
    """Have running rounds looked at when tasks are before people, and when answers came; and
    selections follow their questions to the tasks that ask them anew."""
    for signal in (tasks_pushed, answers_taken):
        signal.connect(_advance, dispatch_uid="advance running rounds")
    tasks_renewed.connect(_follow, dispatch_uid="follow renewed tasks")


def _follow(*, anew: Mapping[UUID, UUID], **_: Any) -> None:
    written = set(Task.objects.filter(pk__in=anew.values()).values_list("pk", flat=True))
    moved = [
        selection
        for selection in Selection.objects.filter(task__in=anew)
        if anew[selection.task_id] in written
    ]
    for selection in moved:
        selection.task_id = anew[selection.task_id]
    Selection.objects.bulk_update(moved, ["task"], batch_size=500)


def _advance(**_: Any) -> None:
    rounds.advance_running()
