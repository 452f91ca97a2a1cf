"""What publishing a guideline does to the labels there are: how many were made under earlier
versions, which of them it puts in doubt, what asking those again costs; and publishing it with
that choice made."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import (
    BooleanField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
)
from django.utils.translation import gettext as _

from annotation import audit
from annotation.guideline_content import Content, content_of
from annotation.guideline_diff import compare
from annotation.guideline_doubt import Reason, in_doubt, reasons, said_of, shown
from annotation.guidelines import OPEN as UNPUBLISHED
from annotation.guidelines import GuidelineError, publish_guideline, published_guideline
from annotation.models import Assignment, Brand, GuidelineVersion, Label, Task
from annotation.opinions import ASKED_AGAIN, IN_FORCE
from annotation.selectors.effort import Effort, effort
from annotation.signals import tasks_renewed
from annotation.tasking import OPEN, create_tasks, withdraw_tasks

NAMESPACE = uuid.UUID("0f7f2a6c-9f5b-4a3e-8f0e-5a7d6b1f3c21")


@dataclass(frozen=True)
class Impact:
    """`labels`: answers in force about the brand, `under` by the version they were made under
    (None: none of its guideline was shown); `doubted` of them, by kind of task, and by reason.
    `asked`: the tasks that asking again takes, one an image and kind, but for the `open` ones whose
    image is being asked about anyway. `settled` answers are in doubt too, but an audit has decided
    since. `handed_out`: unanswered tasks in Label Studio that show an older version."""

    version: GuidelineVersion
    against: GuidelineVersion | None
    labels: int = 0
    under: list[tuple[int | None, int]] = field(default_factory=list)
    reasons: list[tuple[Reason, int]] = field(default_factory=list)
    doubted: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    open: int = 0
    settled: int = 0
    handed_out: int = 0
    effort: dict[str, Effort] = field(default_factory=dict)

    @property
    def earlier(self) -> int:
        """Labels made with an earlier version shown."""
        return sum(count for number, count in self.under if number is not None)

    @property
    def tasks(self) -> int:
        return sum(self.asked.values())

    @property
    def answers(self) -> int:
        """That asking again will take, at the platform's mean an item."""
        return round(sum(n * self.effort[kind].answers for kind, n in self.asked.items()))

    @property
    def hours(self) -> float | None:
        """Of work, at the platform's median time an answer; None while no time is known."""
        times = [
            n * self.effort[kind].answers * (self.effort[kind].seconds or 0)
            for kind, n in self.asked.items()
        ]
        return sum(times) / 3600 if any(times) or not self.tasks else None


def impact_of(*, version: GuidelineVersion) -> Impact:
    """What publishing `version` would do, compared with the version in force. A brand without one
    is compared with an empty guideline. Reads only."""
    brand = version.brand
    against = published_guideline(brand=brand)
    older = _older(version)
    found = reasons(
        compare(before=content_of(against) if against else Content(), after=content_of(version))
    )
    labels, doubts = _about(brand, older), _doubts(brand, older, found)
    doubt = reduce(or_, doubts, Q(pk__in=[]))
    counts = _counts(
        labels,
        {
            "doubted": doubt & Q(audited=False),
            "settled": doubt & Q(audited=True),
            **{f"reason_{i}": doubted & Q(audited=False) for i, doubted in enumerate(doubts)},
            **{f"version_{pk}": shown(version_ids=[pk]) for pk in older.values()},
        },
    )
    under: list[tuple[int | None, int]] = [
        (number, counts[f"version_{pk}"]) for number, pk in older.items()
    ]
    unshown = counts["labels"] - sum(count for _number, count in under)
    doubted = labels.filter(doubt & Q(audited=False)) if found else labels.none()
    by_kind, asked = _tasks_of(doubted)
    return Impact(
        version=version,
        against=against,
        labels=counts["labels"],
        under=[each for each in [*under, (None, unshown)] if each[1]],
        reasons=[(reason, counts[f"reason_{i}"]) for i, reason in enumerate(found)],
        doubted=counts["doubted"],
        by_kind={kind: n for kind, (n, _images, _open) in by_kind.items()},
        asked=asked,
        open=sum(is_open for _n, _images, is_open in by_kind.values()),
        settled=counts["settled"],
        handed_out=_handed_out(older).count() if found else 0,
        effort=effort(kinds=asked),
    )


def publish_with_impact(
    *,
    version: GuidelineVersion,
    by: User,
    requeue: bool,
    seen: datetime | None = None,
    why: str = "",
) -> GuidelineVersion:
    """Publish a version, keep what its impact was, and with `requeue` ask again what it puts in
    doubt, all in one transaction. `seen` is the `edited_at` of what the person looked at. Tasks
    nobody has open that still show an older version are withdrawn and asked anew with this one.

    Raises:
        GuidelineError: it is neither a draft nor in review, or was edited since it was looked at.
    """
    with transaction.atomic():
        brand = Brand.objects.select_for_update().get(pk=version.brand_id)
        now = GuidelineVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
        if seen is not None and now.edited_at != seen:
            raise GuidelineError(
                _("%(version)s was edited meanwhile: look at it again before it is published.")
                % {"version": now}
            )
        if now.state not in UNPUBLISHED:
            return publish_guideline(version=now, by=by, why=why)  # says why it may not be
        impact = impact_of(version=now)
        older = _older(now)
        found = [reason for reason, _count in impact.reasons]
        again = list(_asked_again(now, brand, older, found)) if requeue and found else []
        # Settled before the row is closed for good; tasks that show the old version go first, so
        # that none of them is in the way of one that asks again.
        renewed = _renewed(older) if found else {}
        queued = sum(create_tasks(tasks=tasks) for tasks in (again, [*renewed.values()]))
        tasks_renewed.send(sender=Task, anew={pk: task.pk for pk, task in renewed.items()})
        now.impact = {
            "labels": impact.labels,
            "doubted": impact.doubted,
            "queued": queued if requeue else 0,
        }
        now.save(update_fields=["impact"])
        published = publish_guideline(version=now, by=by, why=why)
        audit.note(
            action="impact", subject=published, by=by, after={**now.impact, "again": requeue}
        )
    return published


def _older(version: GuidelineVersion) -> dict[int, int]:
    """Ids by number of the brand's versions that labelers have seen, newest first."""
    rows = GuidelineVersion.objects.filter(
        brand_id=version.brand_id, published_at__isnull=False
    ).exclude(pk=version.pk)
    return dict(rows.order_by("-number").values_list("number", "pk"))


def _about(brand: Brand, older: dict[int, int]) -> QuerySet[Label]:
    """People's labels in force that say something of the brand, or were made with its guideline
    shown; gold apart. `audited`: whether an audit of the image outweighs them."""
    ids = list(older.values())
    said = reduce(or_, said_of(brand=brand, version_ids=ids).values())
    audits = Label.objects.filter(
        IN_FORCE, source=Label.Source.AUDIT, image=OuterRef("image"), kind=OuterRef("kind")
    )
    return (
        Label.objects.filter(
            IN_FORCE,
            Q(task__isnull=True) | Q(task__is_gold=False),
            source=Label.Source.LABELER,
        )
        .alias(audited=Exists(audits))
        .filter(said | shown(version_ids=ids))
        .order_by()
    )


def _counts(labels: QuerySet[Label], conditions: dict[str, Q]) -> dict[str, int]:
    """All `labels`, and how many of them meet each condition, in one query."""
    flags = {
        f"is_{name}": ExpressionWrapper(condition, output_field=BooleanField())
        for name, condition in conditions.items()
    }
    return labels.annotate(**flags).aggregate(
        labels=Count("pk"),
        **{name: Count("pk", filter=Q(**{f"is_{name}": True})) for name in conditions},
    )


def _doubts(brand: Brand, older: dict[int, int], found: list[Reason]) -> list[Q]:
    sides = said_of(brand=brand, version_ids=list(older.values()))
    return [in_doubt(reason, sides, brand=brand) for reason in found]


def _is_open() -> Exists:
    """Whether everybody is being asked about the image of a label."""
    return Exists(
        Task.objects.filter(
            image=OuterRef("image"),
            kind=OuterRef("kind"),
            state__in=OPEN,
            is_gold=False,
            only_for__isnull=True,
        )
    )


def _tasks_of(
    doubted: QuerySet[Label],
) -> tuple[dict[str, tuple[int, int, int]], dict[str, int]]:
    """By kind: labels, images and those of them with an open task; and the tasks to be made."""
    rows = doubted.alias(is_open=_is_open()).values("kind")
    found = {
        kind: (n, images, is_open)
        for kind, n, images, is_open in rows.annotate(
            n=Count("pk"),
            images=Count("image", distinct=True),
            busy=Count("image", distinct=True, filter=Q(is_open=True)),
        ).values_list("kind", "n", "images", "busy")
    }
    return found, {kind: images - busy for kind, (_n, images, busy) in found.items()}


def _asked_again(
    version: GuidelineVersion, brand: Brand, older: dict[int, int], found: list[Reason]
) -> Iterator[Task]:
    """A task an image and kind in doubt, put as it was put the last time."""
    doubt = reduce(or_, _doubts(brand, older, found))
    rows = (
        _about(brand, older)
        .filter(doubt & Q(audited=False))
        .alias(is_open=_is_open())
        .filter(is_open=False)
        .order_by("image_id", "kind", "-pk")
        .distinct("image_id", "kind")
        .annotate(blind=F("task__blind"), proposal=F("task__proposal"))
        .values_list("image_id", "kind", "blind", "proposal")
    )
    for image_id, kind, blind, proposal in rows.iterator(chunk_size=2000):
        yield Task(
            id=uuid.uuid5(NAMESPACE, f"{version.pk}/{kind}/{image_id}"),
            image_id=image_id,
            kind=kind,
            strategy=ASKED_AGAIN,
            focus_brand=brand,
            blind=True if blind is None else blind,
            proposal=proposal or {},
        )


def _handed_out(older: dict[int, int]) -> QuerySet[Task]:
    """Unanswered tasks in Label Studio that show an older version, but for those somebody has
    open at this moment: they finish by what they see."""
    ids = list(older.values())
    held = Assignment.objects.filter(task=OuterRef("pk"), state=Assignment.State.OPEN)
    listed = reduce(or_, (Q(guidelines_shown__contains=[pk]) for pk in ids), Q(pk__in=[]))
    return Task.objects.filter(
        Q(guideline__in=ids) | listed,
        ~Exists(held),
        state=Task.State.PUSHED,
        is_gold=False,
        only_for__isnull=True,
        labels__isnull=True,
    )


def _renewed(older: dict[int, int]) -> dict[uuid.UUID, Task]:
    """Withdraw what `_handed_out` finds; returns the same questions as new tasks, by the id of the
    old. A task in Label Studio is never changed under a labeler's eyes."""
    tasks = list(_handed_out(older).select_for_update(of=("self",)))
    withdraw_tasks(task_ids=[task.pk for task in tasks])
    return {
        task.pk: Task(
            id=uuid.uuid5(NAMESPACE, f"renewed/{task.pk}"),
            image_id=task.image_id,
            kind=task.kind,
            strategy=task.strategy,
            focus_brand_id=task.focus_brand_id,
            blind=task.blind,
            proposal=task.proposal,
            priority=task.priority,
            answers_wanted=task.answers_wanted,
            note=task.note,
        )
        for task in tasks
    }
