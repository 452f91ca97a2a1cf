"""Which tasks and answers are this person's."""

import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connections
from django.http import Http404
from django.utils import timezone

from annotation import assignments
from annotation.assignments import Handed
from annotation.gateway import trimming
from annotation.gateway.upstream import Visitor
from annotation.labelstudio import sent
from annotation.labelstudio.absorb import our_id
from annotation.labelstudio.client import LabelStudioError
from annotation.models import Assignment, Label, LabelStudioProject, Task

OWNED_SECONDS = 300  # how long an answer of Label Studio's to "whose is it?" is believed
SEEN_SECONDS = 900  # and how long its number for a task

logger = logging.getLogger(__name__)
_beside = ThreadPoolExecutor(max_workers=4, thread_name_prefix="look-ahead")


class NotThere(LabelStudioError):
    """Label Studio does not hold what we think it holds: it was wiped, or the task was taken back
    a moment ago. The sync mends it."""

    def __init__(self) -> None:
        super().__init__("this task is being moved; try again in a minute", retry=True)


def project_or_404(remote_id: int) -> LabelStudioProject:
    """One of our three projects."""
    found = LabelStudioProject.objects.filter(remote_id=remote_id).first()
    if found is None:
        raise Http404
    return found


def task_or_404(*, user: User, remote_id: int) -> Task:
    """A task in Label Studio that this person may open."""
    tasks = Task.objects.select_related("image", "focus_brand")
    found = tasks.filter(remote_id=remote_id).first()
    if found is None or not assignments.may_open(user=user, task=found):
        raise Http404
    return found


def show(*, visitor: Visitor, handed: Handed, project: LabelStudioProject) -> dict:
    """The task that was just handed out, as it was sent. On its first sight there is nothing of
    this person's to show beside it, and that Label Studio still holds it is asked while they look
    at it; later there may be unfinished work, which alone is read from there: the whole task takes
    Label Studio longer than anything else it is asked. Raises NotThere."""
    task = handed.task
    known = sent.as_remote(task=task, project=project.remote_id or 0)
    if known is not None and handed.first:
        _beside.submit(_in_a_thread, _look_ahead, visitor, task)
        return trimming.task(known, ours=task, entry=visitor.entry)
    if known is None or not _was_seen(task) or _has_answered_before(visitor.user, task):
        return fetch(visitor=visitor, task=task)
    known["drafts"] = _drafts(visitor, task)
    return trimming.task(known, ours=task, entry=visitor.entry)


def _has_answered_before(user: User, task: Task) -> bool:
    """Whether there may be an answer of theirs to show beside the task."""
    return Label.objects.filter(task=task, by=user).exists()


def _drafts(visitor: Visitor, task: Task) -> list[dict[str, Any]]:
    try:
        drafts: list[dict[str, Any]] = visitor.ask("GET", f"/api/tasks/{task.remote_id}/drafts")
    except LabelStudioError as error:
        if error.status == 404:
            raise NotThere from error
        raise
    return drafts


def _look_ahead(visitor: Visitor, task: Task) -> None:
    try:
        make_sure_it_is_there(visitor=visitor, task=task)
    except LabelStudioError as error:  # asked again, and told, when the answer comes
        logger.info("task %s is not where it was sent: %s", task.pk, error)


def _in_a_thread(work: Callable[..., None], *args: object) -> None:
    """Threads have database connections of their own, which nobody else would close."""
    try:
        work(*args)
    finally:
        connections.close_all()


def fetch(*, visitor: Visitor, task: Task) -> dict:
    """The task as this person may see it. Raises NotThere."""
    return trimming.task(read(visitor=visitor, task=task), ours=task, entry=visitor.entry)


def read(*, visitor: Visitor, task: Task) -> dict:
    """The task as Label Studio has it. Raises NotThere."""
    try:
        remote: dict = visitor.ask("GET", f"/api/tasks/{task.remote_id}/")
    except LabelStudioError as error:
        if error.status == 404:
            raise NotThere from error
        raise
    # A wiped Label Studio gives its numbers to other tasks.
    if our_id(remote=remote) != task.pk:
        raise NotThere
    cache.set(_seen_key(task), True, SEEN_SECONDS)
    return remote


def make_sure_it_is_there(*, visitor: Visitor, task: Task) -> None:
    """Before an answer is sent to a number: that it still is this task's. Raises NotThere."""
    if not _was_seen(task):
        read(visitor=visitor, task=task)


def _was_seen(task: Task) -> bool:
    """Whether Label Studio lately had this task under its number."""
    return bool(cache.get(_seen_key(task)))


def _seen_key(task: Task) -> str:
    return f"gateway:seen:{task.pk}:{task.remote_id}"


def reserve(*, user: User, task: Task) -> None:
    """A task opened by its address is handed out like one from the stream."""
    expires_at = timezone.now() + timedelta(seconds=settings.ASSIGNMENT_SECONDS)
    Assignment.objects.get_or_create(task=task, to=user, defaults={"expires_at": expires_at})


def is_answered(*, user: User, task: Task) -> bool:
    return Assignment.objects.filter(task=task, to=user, state=Assignment.State.DONE).exists()


def own_annotation_or_404(*, visitor: Visitor, remote_id: int) -> int:
    """The task of an annotation that is this person's."""
    return _owned(visitor, "annotations", remote_id)


def own_draft_or_404(*, visitor: Visitor, remote_id: int) -> int:
    """The task of a draft that is this person's."""
    return _owned(visitor, "drafts", remote_id)


def _owned(visitor: Visitor, what: str, remote_id: int) -> int:
    # The session is in the name: after a wipe, when numbers begin again, nobody has the old one.
    entry = visitor.entry
    session = hashlib.sha256(entry.sessionid.encode()).hexdigest()[:24]
    key = f"gateway:own:{what}:{session}:{remote_id}"
    task: int | None = cache.get(key)
    if task is None:
        remote = _ask_or_404(visitor, f"/api/{what}/{remote_id}/")
        own = (
            trimming.is_own(remote, entry=entry)
            if what == "annotations"
            else remote["user"] == entry.email
        )
        if not own:
            raise Http404
        task = int(remote["task"])
        cache.set(key, task, OWNED_SECONDS)
    return task


def _ask_or_404(visitor: Visitor, path: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = visitor.ask("GET", path)
    except LabelStudioError as error:
        if error.status == 404:
            raise Http404 from error
        raise
    return answer
