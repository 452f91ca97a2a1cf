"""When a person's next task is a gold item, and which."""

import hmac
from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Exists, Max, OuterRef, Q

from annotation.brand_groups import without_barred
from annotation.models import Assignment, GoldItem, Label, Task

# Until this many are in, a person's accuracy is anybody's guess.
FEW = 10
RATE_WITH_FEW = 0.25


def next_gold(*, user: User, kind: str, barred: Mapping[int, str]) -> Task | None:
    """The task of the gold item that is due, if one is: in an order of this person's own, none
    twice, none of an image they know as a task or from a test, none of a `barred` brand."""
    if not is_due(user=user, kind=kind):
        return None
    seen = Assignment.objects.filter(task=OuterRef("pk"), to=user)
    in_force = Q(superseded_by__isnull=True, retracted=False)
    said = Label.objects.filter(in_force, by=user, kind=kind, image=OuterRef("image"))
    tests = user.test_attempts.values_list("items", flat=True)
    tasks = Task.objects.filter(
        ~Exists(seen),
        ~Exists(said),
        kind=kind,
        state=Task.State.PUSHED,
        gold__state=GoldItem.State.ACTIVE,
    ).exclude(gold__in={pk for items in tests for pk in items})
    ids = without_barred(tasks=tasks, barred=barred).values_list("pk", flat=True)
    chosen = min(ids, key=lambda pk: draw(user.pk, kind, pk), default=None)
    return Task.objects.get(pk=chosen) if chosen else None


def is_due(*, user: User, kind: str) -> bool:
    """Between two gold items lie 0 to 2(1/rate - 1) others, evenly drawn: on average the rate,
    never longer than that, and not to be guessed."""
    if not settings.GOLD_RATE:
        return False
    shown = Assignment.objects.filter(to=user, task__gold__kind=kind).aggregate(
        n=Count("pk"), last=Max("created_at")
    )
    rate = settings.GOLD_RATE
    if shown["n"] < FEW:
        rate = max(rate, RATE_WITH_FEW)
    gap = draw(user.pk, kind, shown["n"]) % (round(2 * (1 / rate - 1)) + 1)
    since = Assignment.objects.filter(to=user, task__kind=kind, task__only_for__isnull=True)
    if shown["last"] is not None:
        since = since.filter(created_at__gt=shown["last"])
    return len(since.order_by("-pk").values_list("pk", flat=True)[:gap]) >= gap


def draw(*what: object) -> int:
    """A number that follows from what it is for, to those who know the installation's secret."""
    text = ":".join(map(str, what)).encode()
    return int.from_bytes(hmac.digest(settings.SECRET_KEY.encode(), text, "sha256")[:8], "big")
