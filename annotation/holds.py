"""Labels of somebody who answers badly are not believed until somebody has looked: they are held,
their items asked again of others, and operations told."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit, consensus
from annotation.models import HeldLabel, Hold, Label, Task
from annotation.opinions import IN_FORCE, at_work
from annotation.tasking import create_tasks

STRATEGY = "held_again"


class HoldError(Exception):
    """A hold that is released already, or a release without a reason."""


def check(*, user: User | None, kind: str) -> Hold | None:
    """Judge a person by what they answered since their last release, and hold them when they are
    surely below the floor. Returns the new hold, if there is one."""
    # What it stands on takes seconds to load: only where somebody is judged.
    from annotation import evidence
    from annotation.quality.holding import judge
    from annotation.voices import classes_of

    if user is None or is_held(user=user, kind=kind):
        return None
    released = Hold.objects.filter(user=user, kind=kind).order_by("-released_at").first()
    since = released.released_at if released else None
    pieces = evidence.of_person(user=user, kind=kind, since=since)
    verdict = judge(
        evidence=[piece.evidence for piece in pieces],
        floor=settings.ACCURACY_FLOOR,
        classes=len(classes_of(kind)),
    )
    if not verdict.hold:
        return None
    # Up to the answer from which on they are not believed, they were fine.
    if verdict.since:
        since = pieces[verdict.since - 1].at
    return hold(
        user=user,
        kind=kind,
        accuracy=(verdict.accuracy, verdict.low, verdict.high),
        since=since,
        reason=verdict.why,
    )


def check_everybody() -> int:
    """Judge all who are at work. Returns how many were held."""
    return sum(
        check(user=user, kind=kind) is not None
        for kind in Task.Kind.values
        for user in at_work(kind=kind)
    )


def is_held(*, user: User, kind: str) -> bool:
    return Hold.objects.filter(user=user, kind=kind, released_at__isnull=True).exists()


def hold(
    *,
    user: User,
    kind: str,
    accuracy: tuple[float, float, float],
    reason: str,
    since: datetime | None = None,
    by: User | None = None,
) -> Hold:
    """Hold a person's labels of one kind given after `since` (all of them without it), and ask
    others. `accuracy` is the mean with its interval; `by` is None when the platform decides."""
    with transaction.atomic():
        labels = _labels(user, kind)
        found, made = Hold.objects.get_or_create(
            user=user,
            kind=kind,
            released_at=None,
            defaults={
                "reason": reason,
                "accuracy": accuracy[0],
                "low": accuracy[1],
                "high": accuracy[2],
                "answers": labels.count(),
            },
        )
        if not made:
            return found
        fresh = labels.filter(created_at__gt=since) if since else labels
        chosen = list(fresh.values_list("pk", "image_id"))
        rows = [HeldLabel(label_id=pk, hold=found) for pk, _image in chosen]
        HeldLabel.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)
        audit.note(
            action="hold",
            subject=found,
            by=by,
            after={"held_labels": len(rows), "accuracy": round(accuracy[0], 3)},
            why=reason,
        )
        images = sorted({image for _pk, image in chosen})
        _ask_others(images, kind, found)
        consensus.refresh(image_ids=images, kind=kind)
    return found


def hold_back(*, label: Label) -> None:
    """A new answer of somebody who is held waits with the others. Call it in the transaction that
    writes the label."""
    if label.by_id is None or label.source != Label.Source.LABELER:
        return
    standing = Hold.objects.filter(
        user_id=label.by_id, kind=label.kind, released_at__isnull=True
    ).first()
    if standing is not None:
        HeldLabel.objects.get_or_create(label=label, defaults={"hold": standing})


def release(*, hold: Hold, by: User, why: str, keep: bool) -> Hold:
    """Believe the person again. With `keep` their held labels count; without it they stay out for
    good, and only what is answered from now on counts.

    Raises:
        HoldError: no reason is given, or somebody released it meanwhile.
    """
    why = why.strip()
    if not why:
        raise HoldError(_("Say why: it stays in the history."))
    with transaction.atomic():
        moved = Hold.objects.filter(pk=hold.pk, released_at__isnull=True).update(
            released_at=timezone.now(), released_by=by, release_why=why
        )
        if not moved:
            raise HoldError(_("Somebody released it meanwhile."))
        held = HeldLabel.objects.filter(hold=hold)
        labels = list(held.values_list("label_id", "label__image_id"))
        if keep:
            held.delete()
        audit.note(
            action="release",
            subject=hold,
            by=by,
            before={"held_labels": len(labels)},
            after={"labels": "kept" if keep else "discarded", "ids": [pk for pk, _i in labels]},
            why=why,
        )
        consensus.refresh(image_ids={image for _pk, image in labels}, kind=hold.kind)
    hold.refresh_from_db()
    return hold


def _labels(user: User, kind: str) -> QuerySet[Label]:
    """What a person said that counts: gold answers never do."""
    return Label.objects.filter(
        IN_FORCE,
        Q(task__isnull=True) | Q(task__is_gold=False),
        by=user,
        kind=kind,
        source=Label.Source.LABELER,
        held__isnull=True,
    )


def _ask_others(image_ids: list[int], kind: str, standing: Hold) -> None:
    """Queue the items of held labels again: their tasks where Label Studio still has them, new
    ones where not. What others' answers settle by themselves is closed again by the consensus."""
    answered = Task.objects.filter(
        image_id__in=image_ids,
        kind=kind,
        state=Task.State.ANSWERED,
        only_for__isnull=True,
        is_gold=False,
        labels__held__hold=standing,
    )
    latest: dict[int, Task] = {}
    for task in answered.order_by("created_at").distinct():
        latest[task.image_id] = task
    open_ones = Task.objects.filter(
        image_id__in=image_ids,
        kind=kind,
        state__in=[Task.State.WAITING, Task.State.PUSHING, Task.State.PUSHED],
        only_for__isnull=True,
        is_gold=False,
    )
    for image_id in open_ones.values_list("image_id", flat=True):
        latest.pop(image_id, None)
    here = [task.pk for task in latest.values() if task.remote_id is not None]
    Task.objects.filter(pk__in=here).update(state=Task.State.PUSHED, answered_at=None)
    create_tasks(tasks=[_again(task) for task in latest.values() if task.remote_id is None])


def _again(task: Task) -> Task:
    return Task(
        image_id=task.image_id,
        kind=task.kind,
        strategy=STRATEGY,
        focus_brand_id=task.focus_brand_id,
        blind=task.blind,
        proposal=task.proposal,
        priority=task.priority,
    )
