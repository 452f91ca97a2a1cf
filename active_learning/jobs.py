"""Jobs: what may happen to one, who holds it, and handing out what nobody holds.

The row is the handle. Whoever claims it gets a lease and renews its heartbeat; when the heartbeat
stops, somebody else may claim it. All times are the database's, so that clocks need not agree.
"""

import logging
import socket
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext as _

from active_learning.models import (
    DatasetExport,
    EmbeddingRun,
    Evaluation,
    Explanation,
    Forecast,
    JobState,
    Scan,
    SourceRun,
    TrainingRun,
    Worth,
)
from active_learning.models.jobs import ACTIVE, Job

logger = logging.getLogger(__name__)
J = TypeVar("J", bound=Job)

# Each kind of job, and the task that runs it.
TASKS: dict[type[Job], str] = {
    TrainingRun: "run_training",
    Scan: "run_scan",
    Evaluation: "run_evaluation",
    EmbeddingRun: "run_embedding",
    DatasetExport: "run_export",
    Explanation: "run_explanation",
    Forecast: "run_forecast",
    Worth: "run_worth",
    SourceRun: "run_source",
}
PICTURE_TASK = "run_picture"  # of an EmbeddingRun that somebody waits for: not behind a scan
MODELS: tuple[type[Job], ...] = tuple(TASKS)

TRANSITIONS = {
    JobState.QUEUED: {JobState.RUNNING, JobState.CANCELLED},
    JobState.RUNNING: {
        JobState.RUNNING,  # taken over when its lease lapsed
        JobState.QUEUED,  # stopped where it can go on, or to be tried again
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    },
    JobState.SUCCEEDED: set(),
    JobState.FAILED: {JobState.QUEUED},
    JobState.CANCELLED: {JobState.QUEUED},
}


class JobError(Exception):
    """What was asked of a job cannot be; the message is for a person."""


class ForbiddenMove(JobError):
    """The transition table has no such move from the state the job is in."""


class LeaseLost(Exception):
    """Somebody else runs the job now."""


def folder(name: str) -> str:
    """A new folder's path for a job's results, under the data folder; not yet made."""
    kind, _, rest = name.partition("/")
    return str(settings.DATA_DIR / kind / f"{rest}{uuid.uuid4().hex[:12]}")


def move(job: Job, to: JobState, *, lease: uuid.UUID | None = None, **fields) -> None:
    """Bring a job to another state, in the database and in `job`.

    Args:
        lease: given by whoever runs the job; the move is then theirs alone.

    Raises:
        ForbiddenMove: the job is in a state that this cannot follow.
        LeaseLost: a lease was given and is no longer the job's.
    """
    sources = [state for state, targets in TRANSITIONS.items() if to in targets]
    rows = type(job)._default_manager.filter(pk=job.pk, state__in=sources)
    if lease is not None:
        rows = rows.filter(lease=lease)
    values = fields | {"state": to}
    if to != JobState.RUNNING:
        values |= {"lease": None, "child_pid": None, "heartbeat_at": None}
    if to not in ACTIVE:
        values["finished_at"] = Now()
    if not rows.update(**values):
        _refuse(job, to, lease)
    job.refresh_from_db()


def _refuse(job: Job, to: JobState, lease: uuid.UUID | None) -> None:
    job.refresh_from_db()
    if lease is not None and job.lease != lease:
        raise LeaseLost(f"{job}: somebody else runs it")
    raise ForbiddenMove(
        _("This is %(state)s: it cannot become %(to)s.")
        % {"state": _(job.state), "to": _(JobState(to).value)}
    )


def claim(model: type[Job], pk: int, *, devices: Sequence[str] = ()) -> uuid.UUID | None:
    """Take a queued job, or a running one whose lease lapsed. None when there is nothing to take:
    a second delivery of a job that runs or has ended does nothing.

    Args:
        devices: it takes the first that no other running job of this machine has; None too where
            all are taken, and the sweep hands it out again.
    """
    for device in devices or ("",):
        try:
            with transaction.atomic():
                return _claim(model, pk, device)
        except IntegrityError:
            logger.info("%s %s: %s is taken", model._meta.verbose_name, pk, device)
    return None


def _claim(model: type[Job], pk: int, device: str) -> uuid.UUID | None:
    lease = uuid.uuid4()
    claimed = (
        waiting(model)
        .filter(pk=pk)
        .update(
            state=JobState.RUNNING,
            lease=lease,
            heartbeat_at=Now(),
            machine=socket.gethostname(),
            device=device,
            started_at=Coalesce(F("started_at"), Now()),
            attempts=F("attempts") + Case(When(state=JobState.RUNNING, then=1), default=0),
        )
    )
    return lease if claimed else None


def _lapsed() -> Q:
    return Q(heartbeat_at__lt=Now() - Value(timedelta(seconds=settings.LEASE_SECONDS)))


def renew(job: Job, *, lease: uuid.UUID, **fields) -> bool:
    """Say that the job still runs, and note `fields`. Returns whether it is to be cancelled.

    Raises:
        LeaseLost: the job is no longer ours.
    """
    rows = type(job)._default_manager.filter(pk=job.pk, lease=lease, state=JobState.RUNNING)
    if not rows.update(heartbeat_at=Now(), **fields):
        raise LeaseLost(f"{job}: somebody else runs it")
    return bool(rows.values_list("cancel_requested", flat=True).first())


def cancel(*, job: Job, by: User | None = None) -> None:
    """Have a job end: at once when it is queued, else by whoever runs it, within seconds.

    Raises:
        ForbiddenMove: it has ended.
    """
    queued = When(state=JobState.QUEUED, then=Value(JobState.CANCELLED))
    changed = (
        type(job)
        ._default_manager.filter(pk=job.pk, state__in=ACTIVE)
        .update(
            cancel_requested=True,
            finished_at=Case(When(state=JobState.QUEUED, then=Now())),
            state=Case(queued, default=F("state")),
        )
    )
    if not changed:
        _refuse(job, JobState.CANCELLED, None)
    job.refresh_from_db()
    logger.info("%s: cancelled by %s", job, by)


def resume(*, job: Job, by: User | None = None) -> None:
    """Queue a failed or cancelled job again; it goes on from its last checkpoint.

    Raises:
        ForbiddenMove: it is active or has succeeded.
        IntegrityError: another one has taken its place (the model's constraint says which).
    """
    with transaction.atomic():
        now = type(job)._default_manager.select_for_update().get(pk=job.pk)
        if now.state in ACTIVE:  # its runner alone may put a running one back
            _refuse(job, JobState.QUEUED, None)
        move(
            job,
            JobState.QUEUED,
            cancel_requested=False,
            attempts=0,
            error="",
            finished_at=None,
        )
        enqueue(job)
    logger.info("%s: resumed by %s", job, by)


def enqueue(job: Job) -> None:
    """Tell a worker of a job once this transaction is committed. A message that is lost costs a
    sweep: the row, not the message, says that there is work."""

    def tell() -> None:
        _tell(type(job), job.pk)

    # Robust: with the broker away the error is logged, and the request stands.
    transaction.on_commit(tell, robust=True)


def _tell(model: type[Job], pk: int) -> None:
    from active_learning import tasks

    name = TASKS[model]
    if model is EmbeddingRun and EmbeddingRun.objects.filter(pk=pk).exclude(picture="").exists():
        name = PICTURE_TASK
    # Workers that are busy would otherwise find one message a sweep when they are free.
    if cache.add(f"told:{model.__name__}:{pk}", 1, timeout=settings.LEASE_SECONDS):
        getattr(tasks, name).delay(pk)


def queue_of(task: str) -> str:
    """The queue that a task of this app waits in."""
    route = settings.CELERY_TASK_ROUTES.get(f"active_learning.tasks.{task}", {})
    return route.get("queue", settings.CELERY_TASK_DEFAULT_QUEUE)


def forget_telling(job: Job) -> None:
    """Let the next sweep hand the job out, though a worker was told of it just before."""
    cache.delete(f"told:{type(job).__name__}:{job.pk}")


def sweep_jobs() -> int:
    """Tell workers of queued jobs and of those whose lease lapsed. Returns how many there were."""
    count = 0
    for job in waiting_jobs():
        enqueue(job)
        count += 1
    return count


def waiting_jobs() -> Iterator[Job]:
    """Jobs that nobody holds, the oldest first."""
    for model in MODELS:
        yield from waiting(model).order_by("pk")


def waiting(model: type[J]) -> QuerySet[J]:
    """The jobs of one kind that nobody holds: queued, or with a lapsed lease."""
    lapsed = Q(state=JobState.RUNNING) & _lapsed()
    return model._default_manager.filter(Q(state=JobState.QUEUED) | lapsed)


def output(job: Job) -> Path:
    """The job's folder, made when it is not there."""
    path = Path(job.output)
    path.mkdir(parents=True, exist_ok=True)
    return path
