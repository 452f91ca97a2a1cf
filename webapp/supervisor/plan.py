"""Which services are embedded, and at which addresses: what `services.json` says."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.supervisor.errors import UpError
from webapp.supervisor.files import read_json, write_json
from webapp.supervisor.postgres import embedded_url
from webapp.supervisor.secrets import ensure_secrets

FILE = "services.json"
EXTERNAL_NAMES = ("DATABASE_URL", "REDIS_URL", "LABEL_STUDIO_URL")
WEB_PORT = 8000
GATEWAY_PORT = 8081
LABEL_STUDIO_PORT = 8080


@dataclass(frozen=True)
class Plan:
    """One installation: where it lies, what it starts itself, and every address."""

    home: Path
    base_dir: Path
    label_studio_venv: Path
    external: frozenset[str]  # names of EXTERNAL_NAMES that the environment gave
    services: dict[str, str]
    secrets: dict[str, str]
    train_processes: int = 1  # trainings at once, of different models

    @property
    def web_port(self) -> int:
        return int(self.services["WEB_PORT"])

    @property
    def gateway_port(self) -> int:
        return int(self.services["GATEWAY_PORT"])

    @property
    def label_studio_port(self) -> int:
        return int(self.services["LABEL_STUDIO_PORT"])

    @property
    def redis_port(self) -> int:
        return int(self.services["REDIS_PORT"])

    @property
    def log_dir(self) -> Path:
        return self.home / "log"

    def ports(self) -> dict[str, int]:
        """The fixed ports of what is started here, by process name."""
        ports = {"web": self.web_port, "gateway": self.gateway_port}
        if "LABEL_STUDIO_URL" not in self.external:
            ports["label-studio"] = self.label_studio_port
        return ports


def make_plan(
    *,
    home: Path,
    base_dir: Path,
    environment: Mapping[str, str],
    options: Mapping[str, Any],
    redis_runs: bool = False,
) -> Plan:
    """Decide every address and make the secrets; writes `secrets.json`, not yet `services.json`.

    An option beats the environment, which beats what an earlier start wrote. `redis_runs`: the
    Redis of an earlier start is still alive, so its port is in use by us.

    Raises:
        UpError: a setting that cannot be used.
    """
    written = read_json(home / FILE)

    def chosen(name: str, default: str) -> str:
        return str(options.get(name) or environment.get(name) or written.get(name) or default)

    external = frozenset(name for name in EXTERNAL_NAMES if environment.get(name))
    if "LABEL_STUDIO_URL" in external and not environment.get("LABEL_STUDIO_TOKEN"):
        raise UpError("LABEL_STUDIO_URL names an external Label Studio: set LABEL_STUDIO_TOKEN too")
    secrets = ensure_secrets(home)
    web_port = _port("WEB_PORT", chosen("WEB_PORT", str(WEB_PORT)))
    gateway_port = _port("GATEWAY_PORT", chosen("GATEWAY_PORT", str(GATEWAY_PORT)))
    studio_port = _port("LABEL_STUDIO_PORT", chosen("LABEL_STUDIO_PORT", str(LABEL_STUDIO_PORT)))
    redis_port = _redis_port(written.get("REDIS_PORT"), runs=redis_runs)
    embedded = {
        "DATABASE_URL": lambda: embedded_url(home / "pg"),
        "REDIS_URL": lambda: f"redis://:{secrets['REDIS_PASSWORD']}@127.0.0.1:{redis_port}/0",
        "LABEL_STUDIO_URL": lambda: f"http://127.0.0.1:{studio_port}",
    }
    services = {
        "WEB_PORT": str(web_port),
        "PUBLIC_URL": environment.get("PUBLIC_URL") or f"http://127.0.0.1:{web_port}",
        "GATEWAY_PORT": str(gateway_port),
        "GATEWAY_URL": environment.get("GATEWAY_URL") or f"http://127.0.0.1:{gateway_port}",
        # Simulated labelers are here, whatever address people's browsers use.
        "GATEWAY_INTERNAL_URL": f"http://127.0.0.1:{gateway_port}",
        "LABEL_STUDIO_PORT": str(studio_port),
        "REDIS_PORT": str(redis_port),
        **{name: environment.get(name) or address() for name, address in embedded.items()},
    }
    venv = environment.get("LABEL_STUDIO_VENV") or str(home / "label-studio-venv")
    return Plan(
        home=home,
        base_dir=base_dir,
        label_studio_venv=Path(venv).absolute(),
        external=external,
        services=services,
        secrets=secrets,
        train_processes=_train_processes(environment),
    )


def load_plan(*, home: Path, base_dir: Path, environment: Mapping[str, str]) -> Plan:
    """The plan that the last `up` wrote (the supervisor in the background starts from it)."""
    venv = environment.get("LABEL_STUDIO_VENV") or str(home / "label-studio-venv")
    return Plan(
        home=home,
        base_dir=base_dir,
        label_studio_venv=Path(venv).absolute(),
        external=frozenset(name for name in EXTERNAL_NAMES if environment.get(name)),
        services=read_json(home / FILE),
        secrets=read_json(home / "secrets.json"),
        train_processes=_train_processes(environment),
    )


def write_plan(plan: Plan) -> None:
    """Make the addresses known to every other command of this installation."""
    write_json(plan.home / FILE, dict(plan.services))


def environment_for_children(plan: Plan) -> dict[str, str]:
    """What our own processes run with: the addresses of this plan before all else."""
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        **plan.services,
        "TOUCHSTONE_HOME": str(plan.home),
        "PYTHONUNBUFFERED": "1",
        **({"OMP_NUM_THREADS": threads} if threads else {}),
    }


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _redis_port(remembered: str | None, *, runs: bool) -> int:
    if remembered and (runs or port_is_free(int(remembered))):
        return int(remembered)
    return free_port()


def _train_processes(environment: Mapping[str, str]) -> int:
    """`TRAIN_PROCESSES`, or as many as there are `TRAIN_DEVICES`, or two where a training leaves
    half the cores free (see `active_learning.child`) and no accelerator's memory is to be
    shared."""
    given = environment.get("TRAIN_PROCESSES")
    if given:
        if not given.isdecimal() or int(given) < 1:
            raise UpError(f"TRAIN_PROCESSES is {given!r}, not a number from 1 up")
        return int(given)
    if devices := [name for name in environment.get("TRAIN_DEVICES", "").split(",") if name]:
        return len(devices)
    accelerator = Path("/dev/nvidiactl").exists()
    return 1 if accelerator or (os.cpu_count() or 1) < 2 else 2


def _port(name: str, value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise UpError(f"{name} is {value!r}, not a port number")
    return int(value)
