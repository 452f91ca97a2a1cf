"""Watching a job from a terminal until it ends."""

import time
from collections.abc import Callable

from active_learning.jobs import JobError
from active_learning.models import JobState
from active_learning.models.jobs import ACTIVE, Job


class JobFailed(JobError):
    """The job that was waited for did not succeed; the message says why."""


def watch(*, job: Job, write: Callable[[str], object], poll_seconds: float = 1.0) -> None:
    """Write a line whenever the job gets on, until it has succeeded.

    Raises:
        JobFailed: it failed or was cancelled.
    """
    said = ""
    while True:
        job.refresh_from_db()
        line = describe(job)
        if line != said:
            write(line)
            said = line
        if job.state not in ACTIVE:
            break
        time.sleep(poll_seconds)
    if job.state != JobState.SUCCEEDED:
        raise JobFailed(f"{job}{': ' if job.error else ''}{job.error}")


def describe(job: Job) -> str:
    """One line: where a job stands."""
    if job.state != JobState.RUNNING:
        return str(job)
    figures = " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in job.metrics.items()
    )
    return f"{job.progress:4.0%} {job.stage} {figures}".rstrip()
