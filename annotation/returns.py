"""Giving a task back to the one person who answered it, with a comment.

The first answer stays in force until the person answers again; the new one then supersedes it. The
task that asks again is that person's alone, so it may be open beside the one everybody may answer.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit
from annotation.models import Label, Question, ReturnedTask, Task
from annotation.tasking import create_tasks, withdraw_tasks

STRATEGY = "returned"
PRIORITY = 1e6  # asked before everything else: somebody waits for it


class ReturnError(Exception):
    """A label that cannot go back, or a returned task that is settled."""


def send_back(*, label: Label, by: User, comment: str) -> ReturnedTask:
    """Return a label to whoever gave it, with a comment they will read.

    Raises:
        ReturnError: there is nobody to return it to, it is no longer what they say, it is being
            asked again already, or the comment is empty.
    """
    if not comment.strip():
        raise ReturnError(_("Say why it goes back: the labeler reads it."))
    return give_back(
        label=label, by=by, comment=comment.strip(), reason=ReturnedTask.Reason.SENT_BACK
    )


def give_back(
    *, label: Label, by: User, comment: str, reason: str, question: Question | None = None
) -> ReturnedTask:
    """As `send_back`, for whatever reason; `question` is the one it answers."""
    with transaction.atomic():
        # Two people returning the same label take turns, and so does its reader.
        Label.objects.select_for_update().get(pk=label.pk)
        refusal = why_not(label=label)
        if refusal or label.by is None:
            raise ReturnError(refusal)
        task = _asked_again(label, comment)
        if not create_tasks(tasks=[task]):
            raise ReturnError(_("This person is being asked about this image again already."))
        returned = ReturnedTask.objects.create(
            label=label,
            task=task,
            to=label.by,
            reason=reason,
            comment=comment,
            question=question,
            returned_by=by,
        )
        audit.note(
            action="send_back",
            subject=label,
            by=by,
            after={"to": label.by.get_username(), "task": str(task.pk)},
            why=comment,
        )
    return returned


def why_not(*, label: Label) -> str:
    """Why a label cannot be returned, in words; empty when it can."""
    if label.retracted or Label.objects.filter(supersedes=label).exists():
        return _("This answer has been replaced or taken back meanwhile.")
    if label.source != Label.Source.LABELER or label.by is None:
        return _("No labeler gave this answer: there is nobody to return it to.")
    if not label.by.is_active:
        return _("%(name)s does not work here any more.") % {"name": label.by.get_username()}
    if label.task is not None and label.task.is_gold:
        return _("This is a gold item: its answers count apart and are not asked again.")
    if ReturnedTask.objects.filter(label=label, state=ReturnedTask.State.OPEN).exists():
        return _("It went back already and has not been answered since.")
    return ""


def _asked_again(label: Label, note: str) -> Task:
    """The same question, as it was put the first time."""
    first = label.task
    return Task(
        image_id=label.image_id,
        kind=label.kind,
        strategy=STRATEGY,
        focus_brand=first.focus_brand if first else None,
        blind=first.blind if first else True,
        proposal=first.proposal if first else {},
        priority=PRIORITY,
        only_for=label.by,
        note=note,
    )


def cancel_return(*, returned: ReturnedTask, by: User, why: str = "") -> None:
    """Ask no longer; the first answer stays.

    Raises:
        ReturnError: it was answered or cancelled meanwhile.
    """
    with transaction.atomic():
        moved = ReturnedTask.objects.filter(pk=returned.pk, state=ReturnedTask.State.OPEN).update(
            state=ReturnedTask.State.CANCELLED, done_at=timezone.now()
        )
        if not moved:
            raise ReturnError(_("It was answered or cancelled meanwhile."))
        withdraw_tasks(task_ids=[returned.task_id])
        audit.note(
            action="cancel_return",
            subject=returned,
            by=by,
            before={"state": ReturnedTask.State.OPEN},
            after={"state": ReturnedTask.State.CANCELLED},
            why=why,
        )


def replaced_label(*, task: Task, by: User | None) -> Label | None:
    """The label that an answer of `by` to `task` supersedes because the task was returned to them:
    the last of that line, so that a person always has one answer in force. None for a task that
    nobody returned."""
    returned = ReturnedTask.objects.filter(task=task).select_related("label").first()
    if returned is None or by is None or returned.to_id != by.pk:
        return None
    return last_of_line(label=returned.label)


def last_of_line(*, label: Label) -> Label:
    """What a label has become: itself, or the newest that supersedes it."""
    while (newer := Label.objects.filter(supersedes=label).first()) is not None:
        label = newer
    return label


def settle_return(*, task: Task) -> None:
    """Bring the returned row of a task up to its answers: done while one of them stands, open
    again when it was taken back. Safe to repeat."""
    answered = Label.objects.filter(task=task, superseded_by__isnull=True, retracted=False).exists()
    row = ReturnedTask.objects.filter(task=task)
    if answered:
        row.filter(state=ReturnedTask.State.OPEN).update(
            state=ReturnedTask.State.DONE, done_at=timezone.now()
        )
    else:
        row.filter(state=ReturnedTask.State.DONE).update(
            state=ReturnedTask.State.OPEN, done_at=None
        )
