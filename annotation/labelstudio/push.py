"""The outbox: tasks leave for Label Studio in bulk, a window at a time, none twice.

A task is claimed before it is sent. A claim whose import may or may not have landed (the process
was killed, the answer was lost) is settled by looking for our id in Label Studio.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from annotation.labelstudio import payload, sent
from annotation.labelstudio.accounts import owner_client
from annotation.labelstudio.client import LabelStudioError, field_filter
from annotation.labelstudio.outbox import BESIDE_THE_WINDOW, claim, mark_pushed, release
from annotation.labelstudio.projects import noting_errors, projects
from annotation.models import Label, LabelStudioProject, Task
from annotation.signals import tasks_pushed

BATCH = 100
# An import takes Label Studio well under a second; one whose caller is gone has ended by then.
CLAIM_SETTLES = timedelta(seconds=20)
ACTIVE = timedelta(minutes=15)


def push_tasks() -> int:
    """Fill the window of every project. Only one process may do this at a time: a claim made by
    another is taken to be a dead one's. Returns the number of tasks pushed."""
    pushed = 0
    for project in projects():
        with noting_errors(project):
            settle_claims(project=project)
            pushed += _fill(project)
    return pushed


def window() -> int:
    """How many unanswered tasks of a kind Label Studio should hold."""
    since = timezone.now() - ACTIVE
    labelers = Label.objects.filter(created_at__gte=since, source=Label.Source.LABELER)
    active = labelers.exclude(by=None).order_by().values("by").distinct().count()
    return int(settings.LABEL_STUDIO_WINDOW) * max(1, active)


def settle_claims(*, project: LabelStudioProject) -> None:
    """Find out what became of claims nobody holds any more."""
    stale = Task.objects.filter(
        kind=project.kind,
        state=Task.State.PUSHING,
        claimed_at__lt=timezone.now() - CLAIM_SETTLES,
    )
    ids = list(stale.values_list("pk", flat=True))
    if not ids:
        return
    landed = find_remote(project=project, task_ids=ids)
    mark_pushed(remote_ids=landed)
    release(task_ids=[pk for pk in ids if pk not in landed])


def find_remote(*, project: LabelStudioProject, task_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Where Label Studio holds these tasks; of a doubled one the first."""
    found: dict[UUID, int] = {}
    for start in range(0, len(task_ids), BATCH):
        wanted = [str(pk) for pk in task_ids[start : start + BATCH]]
        condition = field_filter(f"data.{payload.TASK_KEY}", "in_list", wanted)
        for remote in owner_client().tasks(
            project=project.remote_id, filters=[condition], include="id,data"
        ):
            found.setdefault(UUID(remote["data"][payload.TASK_KEY]), remote["id"])
    return found


def _fill(project: LabelStudioProject) -> int:
    pushed = 0
    while tasks := claim(kind=project.kind, limit=BATCH, beside_window=True):
        pushed += _send(project, tasks)
    open_tasks = Task.objects.filter(
        ~BESIDE_THE_WINDOW, kind=project.kind, state__in=[Task.State.PUSHING, Task.State.PUSHED]
    ).count()
    room = window() - open_tasks
    while room > 0 and (tasks := claim(kind=project.kind, limit=min(room, BATCH))):
        pushed += _send(project, tasks)
        room -= len(tasks)
    return pushed


def _send(project: LabelStudioProject, tasks: Sequence[Task]) -> int:
    knowledge = payload.gather(tasks=tasks)
    entries = []
    with transaction.atomic():
        # Written before they are sent: a push found again later must know what was shown.
        for task in tasks:
            entry = payload.build(task=task, knowledge=knowledge)
            entries.append(entry.data)
            versions = entry.versions
            focus = [version for version in versions if version.brand_id == task.focus_brand_id]
            Task.objects.filter(pk=task.pk).update(
                guidelines_shown=[version.pk for version in versions],
                cases_shown=[case.pk for case in entry.cases],
                guideline=focus[0] if focus else None,
            )
    try:
        answer = owner_client().post(
            f"/api/projects/{project.remote_id}/import", entries, return_task_ids=True
        )
    except LabelStudioError as error:
        if not (error.sent and error.retry):  # it has certainly not landed
            release(task_ids=[task.pk for task in tasks])
        raise
    ids = dict(zip([task.pk for task in tasks], answer["task_ids"], strict=True))
    mark_pushed(remote_ids=ids)
    sent.keep(remote_ids=ids, entries=entries)
    tasks_pushed.send(sender=Task)
    return len(ids)
