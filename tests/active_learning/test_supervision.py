"""Jobs with real child processes: small scripts that end, fail, hang or misbehave as told."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
from django.db import OperationalError, connection

from active_learning import child, jobs, shutdown, supervision, training
from active_learning.models import TrainingRun
from ml.errors import InputError
from tests.active_learning.factories import TrainingRunFactory
from tests.active_learning.test_jobs import lapse

CHILD = textwrap.dedent(
    """
    import json, os, signal, subprocess, sys, time
    folder, mode, progress = sys.argv[1], sys.argv[2], sys.argv[4]

    def report(share, **metrics):
        with open(progress, "a") as out:
            line = {"time": time.time(), "stage": "epoch", "progress": share, "metrics": metrics}
            out.write(json.dumps(line) + chr(10))

    def note(name):
        open(os.path.join(folder, name), "a").write(str(os.getpid()) + chr(10))

    note("started")
    report(0.25, loss=2.0)
    if mode == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode.startswith("sleep"):
        time.sleep(float(mode.removeprefix("sleep")))
    if mode == "stop" and os.path.exists(os.path.join(folder, "checkpoint")):
        mode = "succeed"
    if mode == "stop":
        signal.signal(signal.SIGTERM, lambda *_: (note("checkpoint"), sys.exit(75)))
    if mode in ("hang", "stop"):
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", folder])
        time.sleep(60)
    if mode == "input":
        print("error: no rows with split train", file=sys.stderr)
        sys.exit(2)
    if mode == "crash":
        raise RuntimeError("weights on fire")
    if mode == "crashMemoryError":
        raise MemoryError("just so")
    if mode.startswith("memory"):
        bytearray(int(mode.removeprefix("memory")) * 2**20)
    if mode.startswith("grandchild"):
        size = int(mode.removeprefix("grandchild")) * 2**20
        subprocess.run([sys.executable, "-c", f"bytearray({size})"], check=True)
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    report(0.5, loss=float("nan"), accuracy=0.9)
    print("threads", os.environ["OMP_NUM_THREADS"])
    print("sees cuda", os.environ.get("CUDA_VISIBLE_DEVICES"))
    """
)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return path


@pytest.fixture
def run(tmp_path, db):
    return TrainingRunFactory(output=str(tmp_path / "run"))


def supervise(run, script, mode, finish=lambda job: None):
    return supervision.supervise(
        TrainingRun,
        run.pk,
        argv=lambda job: [sys.executable, str(script), job.output, mode],
        finish=finish,
    )


def processes_of(run) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if run.output in " ".join(process.info["cmdline"] or [])
    ]


def expect_nothing_of_it_to_run(run) -> None:
    """What a killed child had started may take a moment to end: nobody can wait for it."""
    wait_for(lambda: processes_of(run) == [])


def wait_for(condition, seconds=10.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def test_a_job_that_succeeds_has_its_results_progress_and_log(run, script, settings):
    settings.TRAIN_THREADS = 1
    seen = []
    assert supervise(run, script, "succeed", seen.append) == "succeeded"
    run.refresh_from_db()
    assert [job.pk for job in seen] == [run.pk]
    assert (run.progress, run.stage, run.child_pid, run.lease) == (1.0, "epoch", None, None)
    assert run.metrics == {"loss": None, "accuracy": 0.9}, "a NaN, which JSON has not, is null"
    assert run.started_at <= run.finished_at
    assert "threads 1" in (Path(run.output) / "log.txt").read_text()


def test_bad_input_fails_at_once_with_the_childs_line(run, script):
    assert supervise(run, script, "input") == "failed"
    run.refresh_from_db()
    assert run.error == "no rows with split train"
    assert run.finished_at is not None


@pytest.mark.parametrize(
    ("mode", "words"), [("crash", "weights on fire"), ("killed", "killed by signal 9")]
)
def test_a_crash_is_tried_again_a_few_times_and_then_fails_with_its_words(run, script, mode, words):
    states = [supervise(run, script, mode) for _ in range(supervision.ATTEMPTS)]
    assert states == ["queued"] * (supervision.ATTEMPTS - 1) + ["failed"]
    run.refresh_from_db()
    assert words in run.error
    assert supervise(run, script, mode) is None


def test_results_that_cannot_be_read_fail_the_job_and_leave_nothing_half_written(run, script):
    def finish(job):
        TrainingRunFactory(kind="detector")
        raise InputError("meta.json is missing")

    assert supervise(run, script, "succeed", finish) == "failed"
    run.refresh_from_db()
    assert "meta.json is missing" in run.error
    assert not TrainingRun.objects.filter(kind="detector").exists()


def test_a_second_delivery_of_a_running_or_finished_job_does_nothing(run, script):
    assert supervise(run, script, "succeed") == "succeeded"
    assert supervise(run, script, "succeed") is None
    assert (Path(run.output) / "started").read_text().count("\n") == 1


def test_a_failed_job_goes_on_in_its_folder_when_it_is_resumed(run, script):
    assert supervise(run, script, "input") == "failed"
    run.refresh_from_db()
    jobs.resume(job=run)
    assert supervise(run, script, "succeed") == "succeeded"
    run.refresh_from_db()
    assert run.error == ""
    assert (Path(run.output) / "started").read_text().count("\n") == 2


def test_a_worker_that_is_stopped_hands_the_job_back_after_a_checkpoint(run, script, monkeypatch):
    started = Path(run.output) / "started"
    monkeypatch.setattr(supervision, "is_stopping", started.exists)
    assert supervise(run, script, "stop") == "queued"
    assert (Path(run.output) / "checkpoint").exists()
    expect_nothing_of_it_to_run(run)  # not even what it started
    run.refresh_from_db()
    assert (run.attempts, run.lease) == (0, None)


def test_the_workers_stop_signal_reaches_pool_processes_forked_before():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        while not shutdown.is_stopping():
            time.sleep(0.01)
        os.write(write, b"stopping")
        os._exit(0)
    try:
        shutdown.note_stop()
        assert os.read(read, 8) == b"stopping"
        os.waitpid(pid, 0)
    finally:
        shutdown._stopping[0] = 0


def test_a_child_left_by_a_dead_supervisor_is_ended_before_another_starts(run, script):
    Path(run.output).mkdir()
    line = [sys.executable, str(script), run.output, "hang", "--progress", run.output + "/p.jsonl"]
    stray = subprocess.Popen(line, start_new_session=True)
    wait_for((Path(run.output) / "started").exists)
    jobs.claim(TrainingRun, run.pk)
    TrainingRun.objects.filter(pk=run.pk).update(child_pid=stray.pid)
    lapse(run)
    assert supervise(run, script, "succeed") == "succeeded"
    assert not psutil.pid_exists(stray.pid)
    expect_nothing_of_it_to_run(run)


def test_a_process_that_only_has_the_old_childs_number_is_left_alone():
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert child.kill_stray(other.pid, mark="/some/job/folder") is False
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_job_whose_supervisors_keep_dying_fails_in_the_end(run, script):
    jobs.claim(TrainingRun, run.pk)
    TrainingRun.objects.filter(pk=run.pk).update(attempts=supervision.LAPSES - 1)
    lapse(run)
    assert supervise(run, script, "succeed") == "failed"
    run.refresh_from_db()
    assert "died" in run.error


def test_a_cancelled_job_whose_supervisor_died_is_not_started_again(run, script):
    jobs.claim(TrainingRun, run.pk)
    jobs.cancel(job=run)
    lapse(run)
    assert supervise(run, script, "succeed") == "cancelled"
    assert not (Path(run.output) / "started").exists()


def test_a_supervisor_whose_lease_was_taken_ends_its_child_and_writes_nothing(
    run, script, monkeypatch
):
    renew = jobs.renew

    def renew_until_taken(job, *, lease, **fields):
        if (Path(run.output) / "started").exists() and "child_pid" not in fields:
            lapse(run)
            assert jobs.claim(TrainingRun, run.pk)
        return renew(job, lease=lease, **fields)

    monkeypatch.setattr(jobs, "renew", renew_until_taken)
    assert supervise(run, script, "hang") is None
    expect_nothing_of_it_to_run(run)
    run.refresh_from_db()
    assert run.state == "running", "it is the other's now"


@pytest.fixture
def short_lease(settings, monkeypatch):
    settings.LEASE_SECONDS = 1
    monkeypatch.setattr(supervision, "POLL_SECONDS", 0.1)


@pytest.mark.usefixtures("short_lease")
@pytest.mark.parametrize(("outage", "state"), [(2, "succeeded"), (1000, None)])
def test_a_database_that_is_away_is_waited_for_as_long_as_the_lease_lasts(
    run, script, monkeypatch, outage, state
):
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction lives in it
    renew, calls = jobs.renew, iter(range(outage))

    def renew_after_outage(job, **fields):
        if next(calls, None) is not None:
            raise OperationalError("the database is away")
        return renew(job, **fields)

    monkeypatch.setattr(jobs, "renew", renew_after_outage)
    mode = "succeed" if state else "hang"
    assert supervise(run, script, mode) == state
    expect_nothing_of_it_to_run(run)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("mode", "seconds"), [("stop", 4), pytest.param("hang", 10, marks=pytest.mark.slow)]
)
def test_a_cancelled_job_is_gone_within_ten_seconds_even_when_it_hangs(
    tmp_path, script, mode, seconds
):
    run = TrainingRunFactory(output=str(tmp_path / "run"))
    states = []

    def work():
        states.append(supervise(run, script, mode))
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    wait_for((Path(run.output) / "started").exists)
    begun = time.monotonic()
    jobs.cancel(job=run)
    worker.join(30)
    assert states == ["cancelled"]
    assert time.monotonic() - begun < seconds
    expect_nothing_of_it_to_run(run)


@pytest.fixture
def limited(settings):
    settings.CHILD_MEMORY_GB = 0.25


@pytest.mark.usefixtures("limited")
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit")
def test_a_child_that_needs_more_than_its_memory_fails_once_naming_the_limit(run, script):
    assert supervise(run, script, "memory400") == "failed", "it is not tried again"
    run.refresh_from_db()
    assert "more memory than CHILD_MEMORY_GB allows a process (0.25 GB)" in run.error
    assert run.error.endswith("MemoryError")


@pytest.mark.usefixtures("limited")
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit")
def test_the_limit_holds_for_what_a_child_starts_and_leaves_room_below_it(run, script):
    assert supervise(run, script, "memory50") == "succeeded"
    other = TrainingRunFactory(kind="detector", output=run.output + "-2")
    assert supervise(other, script, "grandchild400") == "failed"
    other.refresh_from_db()
    assert "CHILD_MEMORY_GB" in other.error


def test_without_a_limit_a_memory_error_is_tried_again_as_any_other(run, script):
    assert supervise(run, script, "crashMemoryError") == "queued"
    run.refresh_from_db()
    assert "CHILD_MEMORY_GB" not in run.error


def test_each_training_sees_a_device_of_its_own_and_the_next_one_waits(tmp_path, script, db):
    runs = [
        TrainingRunFactory(kind=kind, output=str(tmp_path / kind))
        for kind in ("classifier", "detector", "variation")
    ]
    devices = ["cuda:0", "cuda:1"]
    assert jobs.claim(TrainingRun, runs[0].pk, devices=devices)
    at_once = []

    def argv(job):
        at_once.append(jobs.claim(TrainingRun, runs[2].pk, devices=devices))
        return [sys.executable, str(script), job.output, "succeed"]

    state = supervision.supervise(
        TrainingRun,
        runs[1].pk,
        argv=argv,
        finish=lambda job: None,
        devices=devices,
    )
    assert state == "succeeded"
    assert at_once == [None], "while both are taken"
    assert "sees cuda 1" in (tmp_path / "detector" / "log.txt").read_text()
    assert jobs.claim(TrainingRun, runs[2].pk, devices=devices), "the second is free again"
    runs[2].refresh_from_db()
    assert runs[2].device == "cuda:1"


@pytest.mark.parametrize(
    ("device", "ours", "seen"),
    [("", "3", "3"), ("cpu", "3", ""), ("cuda:1", "4,6", "6"), ("cuda:2", "4,6", "")],
)
def test_devices_are_counted_among_those_that_we_see(tmp_path, monkeypatch, device, ours, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ours)
    say = "import os; print('sees cuda', os.environ['CUDA_VISIBLE_DEVICES'])"
    child.start([sys.executable, "-c", say], log=tmp_path / "log", device=device).wait()
    assert f"sees cuda {seen}\n" in (tmp_path / "log").read_text()


def test_a_training_with_a_gpu_of_its_own_may_not_fall_back_to_the_cpu(run):
    run.device = "cuda:0"
    assert '"device": "cuda"' in training.command(run)[-1]
    run.config = {"device": "cpu"}
    assert '"device": "cpu"' in training.command(run)[-1], "but a person's word stands"
