"""Second opinions: one person is asked first, and another only while the answer is not sure enough
and there is somebody to ask. Nothing waits for a person who does not exist."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotation.brand_groups import groups_of
from annotation.models import Assignment, Consensus, Hold, Label, Task, TestAttempt
from annotation.quality.asking import ask_again

# Somebody who has not been handed a task for so long has gone, and a round must not wait for them.
AT_WORK = timedelta(hours=1)
# Asked once more of everybody: what they were shown when they answered was another guideline.
ASKED_AGAIN = "guideline_changed"

IN_FORCE = Q(superseded_by__isnull=True, retracted=False)


def at_work(*, kind: str) -> QuerySet[User]:
    """People who were handed a task lately and are believed."""
    since = timezone.now() - AT_WORK
    held = Hold.objects.filter(user=OuterRef("pk"), kind=kind, released_at__isnull=True)
    lately = Assignment.objects.filter(to=OuterRef("pk"), created_at__gte=since)
    return User.objects.filter(Exists(lately), ~Exists(held), is_active=True)


def others_could_answer(*, task: Task) -> bool:
    """Whether somebody at work has said nothing about this image yet, and may."""
    people = at_work(kind=task.kind)
    if task.only_for_id is not None:
        return people.filter(pk=task.only_for_id).exists()
    said = Label.objects.filter(IN_FORCE, by=OuterRef("pk"), image_id=task.image_id, kind=task.kind)
    if task.strategy == ASKED_AGAIN:
        said = said.filter(created_at__gte=task.created_at)
    people = people.filter(~Exists(said))
    for group in groups_of(task=task):
        passed = TestAttempt.objects.filter(user=OuterRef("pk"), group=group, passed=True)
        people = people.filter(Exists(passed))
    return people.exists()


def settle(*, rows: Sequence[Consensus], kind: str) -> set[int]:
    """Close the tasks whose answers will do, and leave the others open for one more person.
    `rows` are what the answers come to, as yet unsaved. Returns the images still asked about."""
    by_image = {row.image_id: row for row in rows}
    asked = set()
    done = []
    for task in _answered(list(by_image), kind):
        row = by_image[task.image_id]
        if _wants_more(task, row) and others_could_answer(task=task):
            asked.add(task.image_id)
            if task.answers <= task.answers_wanted - 1:
                continue
            Task.objects.filter(pk=task.pk).update(answers_wanted=task.answers + 1)
        else:
            done.append(task.pk)
    Task.objects.filter(pk__in=done, state=Task.State.PUSHED).update(
        state=Task.State.ANSWERED, answered_at=timezone.now()
    )
    return asked


def waiting_images(*, kind: str) -> list[int]:
    """Images with an answer whose task waits for another person: who that could be changes as
    people come and go."""
    return list(_answered(None, kind).values_list("image_id", flat=True))


def _answered(image_ids: list[int] | None, kind: str) -> QuerySet[Any]:
    """Open tasks somebody has answered; `answers`: by how many people whose labels count."""
    tasks = Task.objects.filter(kind=kind, state=Task.State.PUSHED, is_gold=False)
    if image_ids is not None:
        tasks = tasks.filter(image_id__in=image_ids)
    counts = Q(
        labels__superseded_by__isnull=True, labels__retracted=False, labels__held__isnull=True
    )
    people = Count(Coalesce("labels__by", -1 * F("labels__pk")), filter=counts, distinct=True)
    return tasks.annotate(answers=people).filter(answers__gt=0).order_by("pk")


def _wants_more(task: Task, row: Consensus) -> bool:
    if task.only_for_id is not None or row.decided_by.source == Label.Source.AUDIT:
        return False
    if task.answers < task.answers_wanted:  # type: ignore[attr-defined]  # by `_answered`
        return True
    return ask_again(
        posterior={"": row.posterior or 0.0},
        answers=row.votes,
        target=settings.CONSENSUS_TARGET,
        most=settings.MOST_ANSWERS,
    )
