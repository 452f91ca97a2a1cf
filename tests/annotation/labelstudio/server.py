"""A real Label Studio that tests may stop, kill, wipe and set back to an older backup."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import httpx
from django.conf import settings

from tests.services import free_port
from webapp.supervisor.label_studio import environment, make_environment, prepare_data

EMAIL, PASSWORD = "owner@touchstone.example", "for tests only"
START_SECONDS = 180


class LabelStudioServer:
    def __init__(self, home: Path) -> None:
        self.data = home / "label-studio"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        default = settings.BASE_DIR / "var" / "label-studio-venv"
        self.venv = Path(os.environ.get("LABEL_STUDIO_VENV", default))
        self._log = home / "label-studio.log"
        self._process: subprocess.Popen | None = None
        make_environment(self.venv, settings.BASE_DIR / "requirements-label-studio.lock")

    def start(self) -> None:
        prepare_data(self.data, venv=self.venv)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self.venv / "bin" / "python", "-m", "label_studio.server", "start"),
                    *("--no-browser", "--internal-host=127.0.0.1", f"--port={self.port}"),
                ],
                env=environment(data=self.data, email=EMAIL, password=PASSWORD),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_healthy()

    def stop(self) -> None:
        """As a crash would: at once, with all its children."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def wipe(self) -> None:
        self.stop()
        shutil.rmtree(self.data)
        self.start()

    def backup(self) -> Path:
        """The stopped server's data as they are now; it is started again."""
        self.stop()
        copy = self.data.with_name("backup")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.data, copy)
        self.start()
        return copy

    def restore(self, copy: Path) -> None:
        self.stop()
        shutil.rmtree(self.data)
        copy.rename(self.data)
        self.start()

    def _wait_until_healthy(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/health", timeout=5).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.3)
        raise RuntimeError(f"Label Studio did not start: {self._log.read_text()[-2000:]}")
