"""The real platform, really killed: every process once, then the supervisor."""

import shutil
import time

import httpx
import psutil
import pytest

from tests.platform import Platform
from webapp.supervisor import processes
from webapp.supervisor.plan import free_port
from webapp.supervisor.state import read_state

pytestmark = [pytest.mark.slow, pytest.mark.labelstudio, pytest.mark.faults]
SERVICES = (
    *("postgres", "redis", "label-studio", "web"),
    *("worker", "worker-scan", "worker-background", "worker-train", "beat"),
)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    one = Platform(tmp_path_factory.mktemp("faults") / "home")
    started = one.up()
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield one
    finally:
        one.down()
        processes.end(processes.marked(one.home), seconds=5)
        shutil.rmtree(one.home, ignore_errors=True)


def wait_for(condition, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about in time"
        time.sleep(0.2)


def phases(platform):
    return {name: process["phase"] for name, process in platform.processes.items()}


def is_whole(platform):
    return all(phase in ("running", "done") for phase in phases(platform).values())


def test_everything_runs_and_answers(platform):
    assert {phases(platform)[name] for name in SERVICES} == {"running"}
    assert httpx.get(platform.web_url, trust_env=False).status_code < 500
    assert httpx.get(f"{platform.label_studio_url}/health", trust_env=False).status_code == 200
    assert platform.manage("status").returncode == 0


def test_first_passwords_are_printed_once(platform):
    password = platform.secrets["ADMIN_PASSWORD"]
    assert password in platform.first_output
    again = platform.up()
    assert again.returncode == 0
    assert "already up" in again.stdout
    assert password not in again.stdout
    assert password not in "".join(path.read_text() for path in platform.home.glob("log/*.log"))


def test_nothing_listens_beyond_this_machine(platform):
    listening = {
        connection.laddr.ip
        for process in processes.marked(platform.home)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_second_home_on_the_same_port_is_told_so_in_one_line(platform, tmp_path):
    other = Platform(tmp_path, web_port=platform.web_port)
    refused = other.up()
    assert refused.returncode == 2
    assert f"port {platform.web_port} for web is taken" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not processes.marked(tmp_path)


def test_every_killed_process_is_started_again(platform):
    before = {name: platform.processes[name] for name in SERVICES}
    for name in SERVICES:
        psutil.Process(before[name]["pid"]).kill()
    wait_for(
        lambda: (
            is_whole(platform)
            and all(platform.processes[name]["pid"] != before[name]["pid"] for name in SERVICES)
        )
    )
    assert all(platform.processes[name]["restarts"] >= 1 for name in SERVICES)
    assert httpx.get(platform.web_url, trust_env=False).status_code < 500


def test_the_next_up_takes_over_what_a_killed_supervisor_left(platform):
    before = platform.processes
    psutil.Process(read_state(platform.home)["supervisor"]["pid"]).kill()
    psutil.Process(before["beat"]["pid"]).kill()
    again = platform.up()
    assert again.returncode == 0, again.stdout + again.stderr
    kept = [name for name in SERVICES if name != "beat"]
    assert {name: platform.processes[name]["pid"] for name in kept} == {
        name: before[name]["pid"] for name in kept
    }
    assert platform.processes["beat"]["pid"] != before["beat"]["pid"]
    assert is_whole(platform)


def test_down_stops_what_a_killed_supervisor_left(platform):
    psutil.Process(read_state(platform.home)["supervisor"]["pid"]).kill()
    stopped = platform.down()
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert processes.marked(platform.home) == []


def test_a_database_that_cannot_be_reached_is_one_clear_line(tmp_path):
    url = f"postgresql://touchstone@127.0.0.1:{free_port()}/touchstone"
    refused = Platform(tmp_path, settings={"DATABASE_URL": url}).up()
    assert refused.returncode == 2
    assert "DATABASE_URL: cannot use this database" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not processes.marked(tmp_path)
