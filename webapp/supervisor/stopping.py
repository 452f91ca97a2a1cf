"""Stop processes in the order of their ranks: workers first, PostgreSQL last, no orphan left."""

import logging
import signal
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import psutil

from webapp.supervisor import processes
from webapp.supervisor.processes import Running
from webapp.supervisor.specs import Spec

log = logging.getLogger("up")
_Named = tuple[str, Running]


def stop_all(
    home: Path,
    *,
    specs: Mapping[str, Spec],
    running: Mapping[str, Running],
    keep: Collection[str] = (),
) -> None:
    """End `running` and whatever else carries this installation's marker, rank by rank and with
    all descendants, except the processes named in `keep`."""
    named = [*running.items(), *_unrecorded(home, known={*running, *keep})]
    for rank in sorted({_rank(specs, name) for name, _ in named}):
        group = [(name, one) for name, one in named if _rank(specs, name) == rank]
        _stop_group(specs, group, rank)
    orphans = [one for one in processes.marked(home) if _name(home, one) not in keep]
    processes.end(orphans, seconds=2)


def _unrecorded(home: Path, known: Collection[str]) -> list[_Named]:
    """The topmost marked processes that no record names: their supervisor was killed between
    starting them and writing it down, or the record is lost."""
    found = {one.pid: (_name(home, one), one) for one in processes.marked(home)}
    leaders = []
    for name, process in found.values():
        try:
            parent = process.ppid()
            created = process.create_time()
        except psutil.NoSuchProcess:
            continue
        if name not in known and (parent not in found or found[parent][0] != name):
            leaders.append((name, Running(process, created, fingerprint="")))
    return leaders


def _stop_group(specs: Mapping[str, Spec], group: Sequence[_Named], rank: int) -> None:
    descendants: list[psutil.Process] = []
    for name, one in group:
        descendants += processes.family(one.process)[1:]
        processes.send(one.process, specs[name].stop_signal if name in specs else signal.SIGTERM)
    if rank == 0:
        _ask_jobs({one.pid for _, one in group}, descendants)
    patience = max((specs[name].stop_seconds for name, _ in group if name in specs), default=5)
    late = processes.wait_gone([one for _, one in group], seconds=patience)
    for one in late:
        log.warning("pid %d did not stop within %.0f s: killed", one.pid, patience)
        processes.send(one.process, signal.SIGKILL)
    processes.wait_gone(late, seconds=2)
    processes.end([one for one in descendants if one.is_running()], seconds=1)


def _ask_jobs(workers: set[int], descendants: Sequence[psutil.Process]) -> None:
    """A worker waits for its job, and a job, in a process group of its own, may run for hours: ask
    the jobs too, so that they write a checkpoint and the worker can end."""
    for process in descendants:
        if processes.group_of(process) not in workers:
            processes.send(process, signal.SIGTERM)


def _name(home: Path, process: psutil.Process) -> str:
    """The name in the process's marker; empty when it is gone."""
    try:
        return process.environ().get(processes.MARKER, "").removeprefix(f"{home}:")
    except psutil.Error:
        return ""


def _rank(specs: Mapping[str, Spec], name: str) -> int:
    return specs[name].stop_rank if name in specs else 0
