"""Writing down what a task in Label Studio says: the one way in for webhook, poll and
reconciliation alike, safe to repeat.

Readers take turns (`READING` is their lock): a picture of a task taken before another reader
wrote a newer one down would look as if answers had been deleted.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.dateparse import parse_datetime

from annotation.labels import record_label, retract_label
from annotation.labelstudio.outbox import mark_pushed
from annotation.labelstudio.parsing import UnreadableAnnotation, content_of, revision_hash
from annotation.labelstudio.payload import TASK_KEY, proposal_shown
from annotation.models import Label, LabelStudioAccount, Task

logger = logging.getLogger(__name__)

READING = "labelstudio:read"
# Between fetching an answer and writing it down.
SLACK = timedelta(seconds=10)
# Label Studio's numbers start again when it is wiped; a number another task's label has is moved
# up by this.
ERA = 2**40


@dataclass
class Absorbed:
    """What came of reading tasks."""

    written: int = 0
    retracted: int = 0
    unreadable: list[str] = field(default_factory=list)


def absorb(*, remotes: Iterable[dict]) -> Absorbed:
    """Bring our labels up to what the given tasks (with annotations) say. Tasks that are not
    ours are passed over."""
    outcome = Absorbed()
    labelers = {
        account.remote_id: account.user
        for account in LabelStudioAccount.objects.select_related("user")
        if account.remote_id is not None
    }
    for remote in remotes:
        task = _task_of(remote)
        if task is not None:
            _absorb_task(task, remote, labelers, outcome)
    for problem in outcome.unreadable:
        logger.error("%s", problem)
    return outcome


def our_id(*, remote: dict) -> UUID | None:
    """The id of the task of ours that a task in Label Studio stands for."""
    try:
        return UUID(str(remote["data"].get(TASK_KEY)))
    except ValueError:
        return None


def _task_of(remote: dict) -> Task | None:
    tasks = Task.objects.select_related("image", "focus_brand", "guideline")
    pk = our_id(remote=remote)
    task = tasks.filter(pk=pk).first() if pk else None
    if task is None or task.remote_id == remote["id"]:
        return task
    # Answered before the push that sent it noted its number; or this is the answered one of two
    # copies.
    answered = task.labels.filter(superseded_by=None, retracted=False).exists()
    if task.remote_id is None or (remote["annotations"] and not answered):
        mark_pushed(remote_ids={task.pk: remote["id"]})
        return tasks.get(pk=task.pk)
    return None


def _absorb_task(
    task: Task, remote: dict, labelers: dict[int, User | None], outcome: Absorbed
) -> None:
    seen = set()
    for annotation in remote["annotations"]:
        key = annotation_key(task=task, annotation_id=annotation["id"])
        seen.add(key)
        try:
            content = content_of(annotation=annotation, task=task)
        except UnreadableAnnotation as error:
            outcome.unreadable.append(str(error))
            continue
        label = record_label(
            image=task.image,
            kind=task.kind,
            content=content,
            source=Label.Source.LABELER,
            by=labelers.get(annotation["completed_by"]),
            task=task,
            guideline=task.guideline,
            proposal_shown=proposal_shown(task=task),
            remote_id=key,
            remote_hash=revision_hash(annotation),
            seconds=annotation.get("lead_time"),
        )
        outcome.written += label is not None
    outcome.retracted += _retract_deleted(task, remote, seen)


def _retract_deleted(task: Task, remote: dict, seen: set[int]) -> int:
    """Answers of ours that are gone there were deleted by somebody; unless the task has not
    changed there since we wrote them down: then Label Studio was set back to an older backup, and
    what people answered stands."""
    changed_at = parse_datetime(remote["updated_at"])
    if changed_at is None:
        raise ValueError(f"task {remote['id']} changed at {remote['updated_at']!r}")
    gone = task.labels.filter(
        superseded_by=None,
        retracted=False,
        remote_id__isnull=False,
        created_at__lte=changed_at + SLACK,
    ).exclude(remote_id__in=seen)
    if task.pushed_at is not None:
        # Answered, lost there and sent again for another opinion: the copy never had them.
        gone = gone.filter(created_at__gte=task.pushed_at)
    retracted = [retract_label(remote_id=label.remote_id) for label in gone if label.remote_id]
    return sum(label is not None for label in retracted)


def annotation_key(*, task: Task, annotation_id: int) -> int:
    """What a label remembers an annotation by: its number, unless a label of another task already
    has that."""
    eras = range(annotation_id, annotation_id + 64 * ERA, ERA)
    owners = dict(Label.objects.filter(remote_id__in=eras).values_list("remote_id", "task_id"))
    for key in eras:
        if owners.get(key, task.pk) == task.pk:
            return key
    raise ValueError(f"annotation number {annotation_id} was given out too often")
