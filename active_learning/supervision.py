"""Running a job: its child process is watched, and its row says how it stands.

The child may end, fail or hang; the supervisor may be stopped or killed; the database may be away
for a while. Whatever happens, at most one child of a job runs, and the row ends in a state that
somebody can go on from.
"""

import logging
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from active_learning import child, jobs
from active_learning.job_files import LOG, PROGRESS, ProgressReader, last_words, said_since
from active_learning.jobs import LeaseLost
from active_learning.models import JobState
from active_learning.models.jobs import Job
from active_learning.shutdown import is_stopping
from ml.errors import InputError

logger = logging.getLogger(__name__)
J = TypeVar("J", bound=Job)

POLL_SECONDS = 0.5
STOP_SECONDS = 8.0  # from SIGTERM to SIGKILL: time for a checkpoint
SHUTDOWN_SECONDS = 5.0  # less when the worker itself must end soon
ATTEMPTS = 3  # failures of the child
LAPSES = 5  # lost supervisors, and failures, together

EXIT_INPUT = 2
EXIT_STOPPED = 75


def supervise(
    model: type[J],
    pk: int,
    *,
    argv: Callable[[J], Sequence[str]],
    finish: Callable[[J], None],
    devices: Sequence[str] = (),
) -> JobState | None:
    """Run a job to the end of this attempt, unless it has ended or somebody runs it.

    Args:
        argv: the child's command line; `--progress` is added to it. InputError from it fails the
            job.
        finish: reads the results of a child that succeeded into the database. It runs in the
            transaction that marks the job succeeded; OSError, ValueError, KeyError or InputError
            from it fail the job.
        devices: see `jobs.claim`.

    Returns:
        The state the job is in then; None when it was not ours, or no device was free.
    """
    lease = jobs.claim(model, pk, devices=devices)
    if lease is None:
        return None
    job = model._default_manager.get(pk=pk)
    try:
        if child.kill_stray(job.child_pid, mark=job.output):
            logger.warning("%s: its earlier child %s still ran: killed", job, job.child_pid)
        if job.cancel_requested:
            jobs.move(job, JobState.CANCELLED, lease=lease)
        elif job.attempts >= LAPSES:
            error = f"whoever ran it died {job.attempts} times"
            jobs.move(job, JobState.FAILED, lease=lease, error=error)
        else:
            _run(job, lease, argv, finish)
    except LeaseLost as lost:
        logger.warning("%s", lost)
        return None
    return JobState(job.state)


def _run(
    job: J,
    lease: uuid.UUID,
    argv: Callable[[J], Sequence[str]],
    finish: Callable[[J], None],
) -> None:
    folder = jobs.output(job)
    log = folder / LOG
    start = log.stat().st_size if log.exists() else 0
    try:
        line = argv(job)
    except InputError as error:
        jobs.move(job, JobState.FAILED, lease=lease, error=str(error))
        return
    watch = _Watch(job, lease)
    code = watch.run([*line, "--progress", str(folder / PROGRESS)], log)
    if watch.cancelled:
        jobs.move(job, JobState.CANCELLED, lease=lease)
    elif code == 0:
        _succeed(job, lease, finish)
    elif code == EXIT_STOPPED or watch.stopped:
        jobs.move(job, JobState.QUEUED, lease=lease)
        jobs.forget_telling(job)
    else:
        _fail(job, lease, code, folder, start)
    logger.info("%s (exit %s)", job, code)


def _succeed(job: J, lease: uuid.UUID, finish: Callable[[J], None]) -> None:
    try:
        with transaction.atomic():
            jobs.move(job, JobState.SUCCEEDED, lease=lease, progress=1.0, error="")
            finish(job)
    except (OSError, ValueError, KeyError, InputError) as error:
        # The move was undone with the rest: the job is still ours to fail.
        jobs.move(job, JobState.FAILED, lease=lease, error=f"its results cannot be read: {error}")
        logger.exception("%s", job)


def _fail(job: Job, lease: uuid.UUID, code: int, folder: Path, start: int) -> None:
    """Bad input stays bad, and what needs too much memory needs it again; anything else may be this
    machine's bad moment."""
    too_large = child.memory_error(said_since(folder, start=start))
    words = last_words(folder, start=start)
    if code < 0:
        words = f"killed by signal {-code}\n{words}".rstrip()
    words = words.removeprefix("error: ").removeprefix("CommandError: ")
    error = too_large or words or f"exit code {code}"
    attempts = job.attempts + 1
    if code == EXIT_INPUT or too_large or attempts >= ATTEMPTS:
        jobs.move(job, JobState.FAILED, lease=lease, error=error, attempts=attempts)
        return
    jobs.move(job, JobState.QUEUED, lease=lease, error=error, attempts=attempts)
    jobs.forget_telling(job)


class _Watch:
    """One child under watch, from its start to its end."""

    def __init__(self, job: Job, lease: uuid.UUID) -> None:
        self.cancelled = False
        self.stopped = False
        self._job = job
        self._lease = lease
        self._renewed_at = time.monotonic()
        self._kill_at: float | None = None
        self._unsaved: dict = {}

    def run(self, argv: Sequence[str], log: Path) -> int:
        """Start the child, wait for its end and return its exit code.

        Raises:
            LeaseLost: the job is another's now; the child is gone.
        """
        progress = ProgressReader(log.with_name(PROGRESS))
        process = child.start(argv, log=log, device=self._job.device)
        try:
            self._renew(child_pid=process.pid, stage="starting")
            while True:
                code = _wait(process)
                self._renew(**progress.read())
                if code is not None:
                    return code
                self._obey(process)
        finally:
            # Also of a child that ended by itself: what it started must not run on.
            child.kill(process)

    def _renew(self, **fields) -> None:
        self._unsaved |= fields
        try:
            self.cancelled = jobs.renew(self._job, lease=self._lease, **self._unsaved)
        except (OperationalError, InterfaceError) as error:
            # Away for less than the lease, nobody can have taken the job; for longer, somebody
            # may, and a second child would write into the same folder.
            if time.monotonic() - self._renewed_at > 0.8 * settings.LEASE_SECONDS:
                raise LeaseLost(f"job {self._job.pk}: the database is away: {error}") from error
            logger.warning("job %s: no heartbeat: %s", self._job.pk, error)
            connection.close()
        else:
            self._renewed_at = time.monotonic()
            self._unsaved = {}

    def _obey(self, process: subprocess.Popen) -> None:
        """Ask the child to stop when the job is cancelled or this worker is to end; kill it when
        it takes too long."""
        self.stopped = self.stopped or is_stopping()
        if not (self.cancelled or self.stopped):
            return
        if self._kill_at is None:
            process.terminate()
            patience = SHUTDOWN_SECONDS if self.stopped else STOP_SECONDS
            self._kill_at = time.monotonic() + patience
        elif time.monotonic() > self._kill_at:
            logger.warning("job %s: its child did not stop: killed", self._job.pk)
            child.kill(process)


def _wait(process: subprocess.Popen) -> int | None:
    try:
        return process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None
