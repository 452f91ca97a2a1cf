"""Stopping from outside: ask the supervisor, or do its work if it was killed."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from webapp.supervisor import processes
from webapp.supervisor.plan import FILE as SERVICES
from webapp.supervisor.plan import load_plan
from webapp.supervisor.specs import specs_of
from webapp.supervisor.state import (
    recorded_processes,
    recorded_supervisor,
    take_lock,
)
from webapp.supervisor.stopping import stop_all

PATIENCE_SECONDS = 45


def stop(*, home: Path, base_dir: Path, say: Callable[[str], None]) -> bool:
    """Stop everything that this installation runs.

    Returns:
        False when a supervisor still runs after `PATIENCE_SECONDS`.
    """
    if not (home / SERVICES).exists():
        say("nothing runs")
        return True
    lock = take_lock(home)
    if lock is None:
        lock = _ask_supervisor(home)
        if lock is None:
            return False
        say("stopped")
    try:
        _stop_leftovers(home, base_dir, say)
    finally:
        os.close(lock)
    return True


def _ask_supervisor(home: Path) -> int | None:
    """The installation's lock once the supervisor has let go of it; None if it does not."""
    until = time.monotonic() + PATIENCE_SECONDS
    asked = None
    while time.monotonic() < until:
        supervisor = recorded_supervisor(home)
        if supervisor is not None and supervisor.pid != asked:
            processes.send(supervisor, signal.SIGTERM)
            asked = supervisor.pid
        lock = take_lock(home)
        if lock is not None:
            return lock
        time.sleep(0.1)
    return None


def _stop_leftovers(home: Path, base_dir: Path, say: Callable[[str], None]) -> None:
    left = recorded_processes(home)
    if not left and not processes.marked(home):
        return
    say(f"stopping what a killed supervisor left: {', '.join(left) or 'unrecorded processes'}")
    plan = load_plan(home=home, base_dir=base_dir, environment=os.environ)
    stop_all(home, specs={spec.name: spec for spec in specs_of(plan)}, running=left)
    say("stopped")
