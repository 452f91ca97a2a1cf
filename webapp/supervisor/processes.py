"""Operating-system processes: start them, know them again after our own death, end them."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from webapp.supervisor.specs import Spec

MARKER = "TOUCHSTONE_PROCESS"
_START_TIME_TOLERANCE = 0.05  # seconds; psutil derives it from clock ticks


@dataclass
class Running:
    """A process of ours: a child of this supervisor, or one that an earlier supervisor left."""

    process: psutil.Process
    created: float  # with the pid, tells it from a later process that got the same pid
    fingerprint: str
    child: subprocess.Popen | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def look(self) -> tuple[bool, int | None]:
        """Whether it lives and, if it was our child, the status it exited with."""
        if self.child is not None:
            code = self.child.poll()
            return code is None, code
        return _lives(self.process, self.created), None

    def record(self) -> dict[str, float | int | str]:
        return {"pid": self.pid, "created": self.created, "fingerprint": self.fingerprint}


def spawn(spec: Spec, *, home: Path, base_dir: Path) -> Running:
    """Start a process in a session of its own, its output appended to its log file."""
    spec.before()
    inherited = dict(os.environ) if spec.inherits_environment else {}
    log = home / "log" / f"{spec.name}.log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            spec.argv,
            cwd=base_dir,
            env={**inherited, **spec.environment, MARKER: marker_of(home, spec.name)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process = psutil.Process(child.pid)
    return Running(process, process.create_time(), spec.fingerprint, child)


def recall(record: dict) -> Running | None:
    """The recorded process if it still lives; None when it is gone or its pid is another's."""
    try:
        process = psutil.Process(int(record["pid"]))
    except psutil.NoSuchProcess:
        return None
    created = float(record["created"])
    if not _lives(process, created):
        return None
    return Running(process, created, str(record.get("fingerprint", "")))


def marker_of(home: Path, name: str) -> str:
    return f"{home}:{name}"


def marked(home: Path, names: Iterable[str] | None = None) -> list[psutil.Process]:
    """Living processes that carry this installation's marker (all descendants inherit it), of
    these names or of all; never this process or one above it."""
    prefix = f"{home}:"
    wanted = None if names is None else {marker_of(home, name) for name in names}
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            value = process.environ().get(MARKER, "")
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE:
                continue
        except psutil.Error:
            continue  # gone meanwhile, or another user's: not ours
        if value in wanted if wanted is not None else value.startswith(prefix):
            found.append(process)
    return found


def send(process: psutil.Process, number: int) -> None:
    """Signal one process; psutil refuses when its pid was taken over by another."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def group_of(process: psutil.Process) -> int | None:
    """Its process group; None when it is gone."""
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and its descendants, also those in process groups of their own."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: Iterable[psutil.Process], *, seconds: float) -> None:
    """Ask to stop, wait, then kill what is left."""
    remaining = list(processes)
    for process in remaining:
        send(process, signal.SIGTERM)
    _, remaining = psutil.wait_procs(remaining, timeout=seconds)
    for process in remaining:
        send(process, signal.SIGKILL)
    psutil.wait_procs(remaining, timeout=2)


def wait_gone(running: Iterable[Running], *, seconds: float) -> list[Running]:
    """Wait for processes to exit; returns those that have not."""
    until = time.monotonic() + seconds
    remaining = list(running)
    while remaining:
        remaining = [one for one in remaining if one.look()[0]]
        if not remaining or time.monotonic() >= until:
            break
        time.sleep(0.05)
    return remaining


def _lives(process: psutil.Process, created: float) -> bool:
    try:
        if abs(process.create_time() - created) > _START_TIME_TOLERANCE:
            return False
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
