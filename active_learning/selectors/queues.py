"""How long the loop's queues have been waiting."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, Q, QuerySet

from active_learning.models import JobState, Scan, TrainingRun
from annotation.labelstudio.outbox import BESIDE_THE_WINDOW
from annotation.models import Flag, Image, InboxEvent, Question, Task


@dataclass(frozen=True)
class Queue:
    """`waiting`: how many; `since`: when the oldest of them began to, None of none; `hours`: how
    long that may be."""

    name: str
    waiting: int
    since: datetime | None
    hours: float

    def age(self, now: datetime) -> float:
        """In hours."""
        return 0.0 if self.since is None else max(0.0, (now - self.since) / timedelta(hours=1))


def queues() -> list[Queue]:
    """Every queue, one query or two each."""
    return [
        _tasks(),
        _queue("questions", Question.objects.filter(state=Question.State.OPEN), "asked_at",
               settings.MONITORING_QUESTION_HOURS),
        _queue("flags", Flag.objects.filter(state=Flag.State.OPEN, verdict=None), "created_at",
               settings.MONITORING_FLAG_HOURS),
        _queue("training", TrainingRun.objects.filter(state=JobState.QUEUED), "created_at",
               settings.MONITORING_TRAINING_HOURS),
        _unscanned(),
        _outbox(),
        _queue("inbox", InboxEvent.objects.filter(processed_at=None), "received_at",
               settings.MONITORING_SYNC_HOURS),
    ]  # fmt: skip


def _queue(name: str, rows: QuerySet, began: str, hours: float) -> Queue:
    found = rows.order_by().aggregate(n=Count("pk"), since=Min(began))
    return Queue(name, found["n"], found["since"], hours)


def _tasks() -> Queue:
    """Those before people. What waits in the outbox does so by design: it is asked when there is
    room."""
    pushed = Task.objects.filter(state=Task.State.PUSHED, is_gold=False)
    return _queue("tasks", pushed, "pushed_at", settings.MONITORING_TASK_HOURS)


def _unscanned() -> Queue:
    """Images that no scan has scored yet: nothing is known of them. Another champion's scan counts,
    or each promotion would make the whole pool overdue."""
    images = Image.objects.filter(split=Image.Split.POOL)
    pool = Scan.objects.filter(purpose=Scan.Purpose.POOL)
    scan = pool.filter(state=JobState.SUCCEEDED).first()
    if scan is not None:
        images = images.filter(created_at__gt=scan.created_at)
    return _queue("scan", images, "created_at", settings.MONITORING_SCAN_HOURS)


def _outbox() -> Queue:
    """Tasks that Label Studio has room for. They go within seconds, so the wait is since anything
    last changed: a task made, sent or answered."""
    is_open = Q(state__in=[Task.State.PUSHING, Task.State.PUSHED]) & ~BESIDE_THE_WINDOW
    # A box task without a brand is never sent; reconciliation reports it.
    is_waiting = Q(state__in=[Task.State.WAITING, Task.State.PUSHING]) & ~Q(
        kind=Task.Kind.BOXES, focus_brand=None
    )
    rows = (
        Task.objects.order_by()
        .values("kind")
        .annotate(
            open=Count("pk", filter=is_open),
            waiting=Count("pk", filter=is_waiting),
            made=Min("created_at", filter=is_waiting),
            pushed=Max("pushed_at"),
            answered=Max("answered_at"),
        )
    )
    stuck = [row for row in rows if row["waiting"] and row["open"] < settings.LABEL_STUDIO_WINDOW]
    changes = [
        max(at for at in (row["made"], row["pushed"], row["answered"]) if at) for row in stuck
    ]
    return Queue(
        "outbox",
        sum(row["waiting"] for row in stuck),
        min(changes, default=None),
        settings.MONITORING_SYNC_HOURS,
    )
