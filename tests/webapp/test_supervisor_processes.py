import os
import signal
import sys
import textwrap
import time

import psutil
import pytest

from webapp.supervisor import manager, processes, up
from webapp.supervisor.errors import UpError
from webapp.supervisor.processes import recall, spawn
from webapp.supervisor.specs import Spec
from webapp.supervisor.state import take_lock
from webapp.supervisor.stopping import stop_all


@pytest.fixture
def home(tmp_path):
    (tmp_path / "log").mkdir()
    yield tmp_path
    processes.end(processes.marked(tmp_path), seconds=1)


def start(home, name, code="", *, rank=0, stop_seconds=2.0):
    """A real process that runs `code` and then says "ready" and waits."""
    program = textwrap.dedent(code) + "\nimport time\nprint('ready', flush=True)\ntime.sleep(600)"
    spec = Spec(
        name=name,
        argv=(sys.executable, "-c", program),
        environment={},
        stop_rank=rank,
        stop_seconds=stop_seconds,
    )
    one = spawn(spec, home=home, base_dir=home)
    log = home / "log" / f"{name}.log"
    until = time.monotonic() + 10
    while "ready" not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)
    return spec, one


WRITES_WHEN_STOPPED = """
import os, signal, sys, time
def note(*_):
    with open("order", "a") as file:
        file.write(sys.argv[0] + "{name} ")
    os._exit(0)
signal.signal(signal.SIGTERM, note)
"""


def test_lower_ranks_stop_first(home):
    started = {
        name: start(home, name, WRITES_WHEN_STOPPED.replace("{name}", name), rank=rank)
        for name, rank in {"database": 3, "worker": 0, "web": 1}.items()
    }
    stop_all(
        home,
        specs={name: spec for name, (spec, _) in started.items()},
        running={name: one for name, (_, one) in started.items()},
    )
    order = (home / "order").read_text().replace("-c", "").split()
    assert order == ["worker", "web", "database"]


def test_one_that_ignores_the_request_is_killed(home):
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)"
    spec, one = start(home, "deaf", deaf, stop_seconds=0.3)
    stop_all(home, specs={"deaf": spec}, running={"deaf": one})
    assert one.look() == (False, -signal.SIGKILL)


def test_a_job_in_a_session_of_its_own_ends_with_its_worker(home):
    code = """
        import subprocess, sys
        job = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                               start_new_session=True)
        print(job.pid, flush=True)
    """
    spec, one = start(home, "worker", code)
    job = int((home / "log" / "worker.log").read_text().split()[0])
    stop_all(home, specs={"worker": spec}, running={"worker": one})
    assert not psutil.pid_exists(job) or psutil.Process(job).status() == psutil.STATUS_ZOMBIE


def test_what_no_record_names_is_found_by_its_marker_and_stopped(home):
    _, one = start(home, "lost")
    assert [process.pid for process in processes.marked(home)] == [one.pid]
    stop_all(home, specs={}, running={})
    assert one.look()[0] is False


def test_what_is_to_be_kept_stays(home):
    _, one = start(home, "kept")
    stop_all(home, specs={}, running={}, keep={"kept"})
    assert one.look()[0] is True


def test_another_installations_processes_are_not_ours(home, tmp_path_factory):
    _, one = start(home, "web")
    other = tmp_path_factory.mktemp("other")
    stop_all(other, specs={}, running={})
    assert one.look()[0] is True


def test_a_pid_that_went_to_another_process_is_not_recalled(home):
    _, one = start(home, "web")
    assert recall(one.record()) is not None
    assert recall(one.record() | {"created": one.created - 10}) is None
    one.process.kill()
    one.child.wait(5)
    assert recall(one.record()) is None


def test_only_one_supervisor_holds_the_lock(home):
    lock = take_lock(home)
    assert lock is not None
    assert take_lock(home) is None
    os.close(lock)
    again = take_lock(home)
    assert again is not None
    os.close(again)


def test_a_disk_nearly_full_is_one_clear_line(home, monkeypatch):
    monkeypatch.setattr(manager, "LEAST_FREE_BYTES", 10**18)
    with pytest.raises(UpError, match="nearly full") as caught:
        up.prepare(home=home, base_dir=home, environment={}, options={})
    assert "\n" not in str(caught.value)
    assert not (home / "secrets.json").exists()
