"""Comparing the two sides and mending what differs: after a wipe, a restored backup, deletions,
lost webhooks, imports that landed twice."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from uuid import UUID

from django.db.models import Count, F, Q
from django.utils import timezone

from annotation.labelstudio.absorb import absorb, our_id
from annotation.labelstudio.accounts import owner_client
from annotation.labelstudio.inbox import drop_old_events
from annotation.labelstudio.outbox import forget_remote, mark_pushed, sendable
from annotation.labelstudio.projects import ensure_projects, noting_errors
from annotation.models import LabelStudioProject, Task

INCLUDE = "id,data,total_annotations,cancelled_annotations"


@dataclass
class Drift:
    """What one reconciliation found in one project, before it mended it.

    `ours` and `theirs` count tasks held there as either side has it. `lost` tasks are there no
    more (unanswered ones are sent again); `landed` ones were there unknown to us; `unequal` ones
    had other answers there than here; `doubled`, `foreign` and `needless` (withdrawn or answered
    with us) ones were removed where nobody had answered them, else `left`. `unsendable` ones
    wait for ever: box tasks that name no brand.
    """

    ours: int = 0
    theirs: int = 0
    lost: int = 0
    landed: int = 0
    unequal: int = 0
    doubled: int = 0
    foreign: int = 0
    needless: int = 0
    left: int = 0
    unsendable: int = 0
    written: int = 0
    retracted: int = 0
    unreadable: int = 0


def reconcile() -> list[Drift]:
    """Compare and mend every project. Neither a push nor another reader may run meanwhile.

    Raises LabelStudioError when Label Studio cannot be reached at all.
    """
    drop_old_events()
    drifts = []
    for project in ensure_projects():
        with noting_errors(project):
            drift = _reconcile_project(project)
            LabelStudioProject.objects.filter(pk=project.pk).update(
                drift=asdict(drift), reconciled_at=timezone.now()
            )
            drifts.append(drift)
    return drifts


def _reconcile_project(project: LabelStudioProject) -> Drift:
    client = owner_client()
    theirs = {
        remote["id"]: remote for remote in client.tasks(project=project.remote_id, include=INCLUDE)
    }
    held = Task.objects.filter(kind=project.kind, remote_id__isnull=False)
    drift = Drift(
        ours=held.count(),
        theirs=len(theirs),
        unsendable=Task.objects.filter(kind=project.kind, state=Task.State.WAITING).count()
        - sendable(kind=project.kind).count(),
    )
    copies = _copies(theirs.values())
    _settle_identity(project, theirs, copies, drift)
    _settle_answers(project, theirs, drift)
    _remove_needless(project, theirs, copies, drift)
    return drift


def _copies(remotes: Iterable[dict]) -> dict[UUID | None, list[int]]:
    copies: dict[UUID | None, list[int]] = defaultdict(list)
    for remote in remotes:
        copies[our_id(remote=remote)].append(remote["id"])
    return copies


def _settle_identity(
    project: LabelStudioProject,
    theirs: dict[int, dict],
    copies: dict[UUID | None, list[int]],
    drift: Drift,
) -> None:
    """Make every task of ours and its number there agree."""
    known = dict(Task.objects.filter(kind=project.kind).values_list("pk", "remote_id"))
    gone = [
        pk
        for pk, remote_id in known.items()
        if remote_id is not None and remote_id not in copies.get(pk, [])
    ]
    drift.lost = len(gone)
    landed = {
        pk: min(copies[pk], key=lambda remote_id: (-_answers(theirs[remote_id]), remote_id))
        for pk in known
        if pk in copies and known[pk] not in copies[pk]
    }
    drift.landed = len(landed)
    forget_remote(task_ids=[pk for pk in gone if pk not in landed])
    mark_pushed(remote_ids=landed)


def _settle_answers(project: LabelStudioProject, theirs: dict[int, dict], drift: Drift) -> None:
    """Read in full those tasks whose number of answers differs."""
    unequal = [
        remote_id
        for remote_id, answers in answers_here(kind=project.kind).items()
        if remote_id in theirs and _answers(theirs[remote_id]) != answers
    ]
    drift.unequal = len(unequal)
    for start in range(0, len(unequal), 100):
        ids = unequal[start : start + 100]
        outcome = absorb(
            remotes=owner_client().tasks(project=project.remote_id, ids=ids, annotations=True)
        )
        drift.written += outcome.written
        drift.retracted += outcome.retracted
        drift.unreadable += len(outcome.unreadable)


def answers_here(*, kind: str) -> dict[int, int]:
    """How many annotations our labels know of, by the number of the task that Label Studio holds.
    One that the answer to a returned task superseded is still there as it was."""
    last_revision = (
        Q(labels__superseded_by=None)
        | Q(labels__superseded_by__remote_id__lt=F("labels__remote_id"))
        | Q(labels__superseded_by__remote_id__gt=F("labels__remote_id"))
    )
    # What was said before a task had to be sent again for a further opinion is not in the copy.
    this_copy = Q(pushed_at=None) | Q(labels__created_at__gte=F("pushed_at"))
    known = Q(labels__retracted=False, labels__remote_id__isnull=False) & last_revision & this_copy
    tasks = Task.objects.filter(kind=kind, remote_id__isnull=False)
    counted = tasks.annotate(answers=Count("labels", filter=known)).order_by()
    rows = counted.values_list("remote_id", "answers")
    return {remote_id: answers for remote_id, answers in rows if remote_id is not None}


def _remove_needless(
    project: LabelStudioProject,
    theirs: dict[int, dict],
    copies: dict[UUID | None, list[int]],
    drift: Drift,
) -> None:
    """Remove tasks nobody should be asked; what somebody answered is never removed."""
    ours = {
        pk: (remote_id, state)
        for pk, remote_id, state in Task.objects.filter(kind=project.kind).values_list(
            "pk", "remote_id", "state"
        )
    }
    removed = []
    for pk, remote_ids in copies.items():
        for remote_id in remote_ids:
            if pk is None or pk not in ours:
                drift.foreign += 1
            elif ours[pk][0] != remote_id:
                drift.doubled += 1
            elif _answers(theirs[remote_id]) or ours[pk][1] == Task.State.PUSHED:
                continue
            else:
                drift.needless += 1
            if _answers(theirs[remote_id]):
                drift.left += 1
            else:
                removed.append(remote_id)
    if removed:
        owner_client().post(
            "/api/dm/actions",
            {"selectedItems": {"all": False, "included": removed}},
            id="delete_tasks",
            project=project.remote_id,
        )
        Task.objects.filter(remote_id__in=removed).update(remote_id=None)


def _answers(remote: dict) -> int:
    return int(remote["total_annotations"]) + int(remote["cancelled_annotations"])
