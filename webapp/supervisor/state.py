"""`processes.json`: what runs, for `status`, `down` and the next `up`; and the lock of the one
supervisor an installation has."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from webapp.supervisor.files import read_json, write_json
from webapp.supervisor.processes import Running, recall

FILE = "processes.json"
LOCK = ".up.lock"


def take_lock(home: Path) -> int | None:
    """The descriptor that holds the installation's lock until it is closed (a killed holder lets
    go by itself), or None while another supervisor holds it."""
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def holds_lock(home: Path, descriptor: int) -> bool:
    """Whether this open descriptor is the installation's lock, and locked."""
    try:
        if not os.path.samestat(os.fstat(descriptor), (home / LOCK).stat()):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # already ours: succeeds
    except OSError:
        return False
    return True


def supervisor_runs(home: Path) -> bool:
    descriptor = take_lock(home)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def write_state(
    home: Path, *, ready: bool, running: Mapping[str, Running], phases: Mapping[str, Any]
) -> None:
    """Record this process as the supervisor, and all it watches."""
    own = psutil.Process()
    content = {
        "supervisor": {"pid": own.pid, "created": own.create_time()},
        "ready": ready,
        "processes": {
            name: {**phases[name], **(running[name].record() if name in running else {})}
            for name in phases
        },
    }
    write_json(home / FILE, content)


def read_state(home: Path) -> dict[str, Any]:
    return read_json(home / FILE)


def recorded_supervisor(home: Path) -> psutil.Process | None:
    """The supervisor on record, if that very process still lives."""
    record = read_state(home).get("supervisor")
    found = recall(record) if record else None
    return found.process if found else None


def recorded_processes(home: Path) -> dict[str, Running]:
    """The processes on record that still live."""
    records = read_state(home).get("processes", {})
    found = {name: recall(record) for name, record in records.items() if "pid" in record}
    return {name: running for name, running in found.items() if running is not None}
