"""Jobs when processes are really killed: supervisors, and Celery workers with their messages."""

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest
from django.core.cache import cache
from django.db import connection

from active_learning import jobs, tasks
from tests.active_learning.factories import TrainingRunFactory
from tests.active_learning.test_supervision import (
    CHILD,
    expect_nothing_of_it_to_run,
    processes_of,
    wait_for,
)
from tests.active_learning.test_supervision import supervise as supervise_here

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SUPERVISOR = textwrap.dedent(
    """
    import sys
    import django
    django.setup()
    from active_learning import supervision
    from active_learning.models import TrainingRun

    pk, script, mode = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    supervision.supervise(
        TrainingRun,
        pk,
        argv=lambda job: [sys.executable, script, job.output, mode],
        finish=lambda job: None,
    )
    """
)

# A real worker of the real tasks; only what `python -m ml train` would do is the test's child.
WORKER = textwrap.dedent(
    """
    import sys
    import django
    django.setup()
    from active_learning import training
    from webapp.celery import app

    script, mode, calls = sys.argv[1:4]
    run = training.run

    def counted_run(*, run_id):
        with open(calls, "a") as out:
            print(run_id, file=out)
        return run(run_id=run_id)

    training.run = counted_run
    training.command = lambda run: [sys.executable, script, run.output, mode]
    training.register_version = lambda run: None
    # Look for unacknowledged messages every second, not every hundred.
    app.conf.broker_transport_options |= {
        "unacked_restore_interval": 1, "unacked_restore_throttle": 1
    }
    options = ["-Q", "train", "-c", "2", "--loglevel=WARNING"]
    app.worker_main(["worker", *options, "--without-gossip", "--without-mingle"])
    """
)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return path


@pytest.fixture
def run(tmp_path):
    cache.clear()
    return TrainingRunFactory(output=str(tmp_path / "run"))


def environment(**settings) -> dict[str, str]:
    """This test's database for a process of its own."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    database = connection.settings_dict["NAME"]
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{database}")),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        **settings,
    }


@contextmanager
def process(code, *arguments, **settings):
    """A Python process, killed with all it started at the end."""
    line = [sys.executable, "-c", code, *map(str, arguments)]
    started = subprocess.Popen(line, env=environment(**settings), start_new_session=True)
    try:
        yield started
    finally:
        for member in psutil.process_iter():
            if member.pid == started.pid or _session(member.pid) == started.pid:
                member.kill()
        started.wait()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def started_times(run) -> int:
    path = Path(run.output) / "started"
    return path.read_text().count("\n") if path.exists() else 0


def state(run) -> str:
    run.refresh_from_db()
    return run.state


def test_a_child_does_not_outlive_a_supervisor_that_is_killed_and_the_job_goes_on_elsewhere(
    run, script, settings
):
    with process(SUPERVISOR, run.pk, script, "hang") as supervisor:
        wait_for(lambda: started_times(run) == 1 and state(run) and run.child_pid, 30)
        child = run.child_pid
        assert psutil.pid_exists(child)
        supervisor.kill()
        wait_for(lambda: not psutil.pid_exists(child), 5)
    assert supervise_here(run, script, "succeed") is None, "its lease has not lapsed yet"
    settings.LEASE_SECONDS = 1
    wait_for(lambda: list(jobs.waiting_jobs()) == [run])
    assert supervise_here(run, script, "succeed") == "succeeded"
    run.refresh_from_db()
    assert run.attempts == 1
    for left in processes_of(run):  # what the killed child had started is beyond anybody's reach
        left.kill()


def test_a_message_delivered_again_while_the_job_runs_does_not_run_it_twice(run, script, tmp_path):
    calls = tmp_path / "calls"
    with process(WORKER, script, "sleep8", calls, CELERY_VISIBILITY_TIMEOUT="2"):
        tasks.run_training.delay(run.pk)
        wait_for(lambda: state(run) == "succeeded", 60)
        assert calls.read_text().count(f"{run.pk}\n") >= 2, "it was delivered again"
    assert started_times(run) == 1


def test_a_worker_that_is_stopped_hands_its_job_to_the_next_one(run, script, tmp_path):
    with process(WORKER, script, "stop", tmp_path / "calls") as worker:
        tasks.run_training.delay(run.pk)
        wait_for(lambda: started_times(run) == 1, 30)
        worker.send_signal(signal.SIGTERM)
        wait_for(lambda: state(run) == "queued", 10)
        assert (Path(run.output) / "checkpoint").exists()
        wait_for(lambda: worker.poll() is not None, 10)
    expect_nothing_of_it_to_run(run)
    with process(WORKER, script, "stop", tmp_path / "calls"):
        jobs.sweep_jobs()
        wait_for(lambda: state(run) == "succeeded", 30)
    assert run.attempts == 0


def test_a_worker_that_is_killed_leaves_its_job_to_the_sweep(run, script, tmp_path, settings):
    settings.LEASE_SECONDS = 2
    with process(WORKER, script, "stop", tmp_path / "calls") as worker:
        tasks.run_training.delay(run.pk)
        wait_for(lambda: started_times(run) == 1 and state(run) and run.child_pid, 30)
        child = run.child_pid
        worker.kill()
        wait_for(lambda: not psutil.pid_exists(child), 5)
    assert state(run) == "running", "nobody was left to say otherwise"
    wait_for(lambda: list(jobs.waiting_jobs()) == [run], 5)
    (Path(run.output) / "checkpoint").touch()
    cache.clear()
    with process(WORKER, script, "stop", tmp_path / "calls", LEASE_SECONDS="2"):
        jobs.sweep_jobs()
        wait_for(lambda: state(run) == "succeeded", 30)
    assert run.attempts == 1
    for left in processes_of(run):
        left.kill()
