"""The whole platform, started as a person would start it, in a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webapp.supervisor.plan import free_port

ROOT = Path(__file__).resolve().parent.parent
# Settings of the test run itself, which a second platform beside it must not see.
OF_THIS_RUN = (
    "DATABASE_URL",
    "REDIS_URL",
    "LABEL_STUDIO_URL",
    "LABEL_STUDIO_WEBHOOK_SECRET",
    "SECRET_KEY",
    "WEB_PORT",
    "GATEWAY_PORT",
    "GATEWAY_URL",
    "LABEL_STUDIO_PORT",
    "PUBLIC_URL",
)


@dataclass
class Platform:
    """`manage.py` of one installation, and what it wrote about itself."""

    home: Path
    web_port: int = field(default_factory=free_port)
    label_studio_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    settings: Mapping[str, str] = field(default_factory=dict)
    first_output: str = ""  # what `up` printed the first time

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OF_THIS_RUN}
        return {
            **kept,
            "TOUCHSTONE_HOME": str(self.home),
            # A gigabyte of packages: shared by all homes of this checkout.
            "LABEL_STUDIO_VENV": str(ROOT / "var" / "label-studio-venv"),
            **self.settings,
        }

    def manage(
        self, *arguments: str, timeout: float = 300, check: bool = False
    ) -> subprocess.CompletedProcess:
        """Run a command of this installation and wait for it."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )

    def up(self) -> subprocess.CompletedProcess:
        """Start everything in the background; returns once all is up, or has failed."""
        done = self.manage(
            "up",
            "--detach",
            f"--web-port={self.web_port}",
            f"--label-studio-port={self.label_studio_port}",
            f"--gateway-port={self.gateway_port}",
            # On a first use Label Studio's packages are installed too.
            timeout=1800,
        )
        self.first_output = self.first_output or done.stdout
        return done

    def down(self) -> subprocess.CompletedProcess:
        return self.manage("down", timeout=90)

    def read(self, name: str) -> dict[str, Any]:
        return json.loads((self.home / name).read_text())

    @property
    def services(self) -> dict[str, str]:
        return self.read("services.json")

    @property
    def secrets(self) -> dict[str, str]:
        return self.read("secrets.json")

    @property
    def processes(self) -> dict[str, dict[str, Any]]:
        return self.read("processes.json")["processes"]

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def label_studio_url(self) -> str:
        return f"http://127.0.0.1:{self.label_studio_port}"

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"
