"""What to do with a supervised process next: pure, so that every case can be tested."""

from dataclasses import dataclass, replace
from enum import StrEnum

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
STABLE_SECONDS = 60.0  # a process that ran so long starts with a clean record
GIVES_UP_AFTER = 4  # failures in a row, while the platform has not been ready yet


class Phase(StrEnum):
    WAITING = "waiting"  # for what it needs
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"  # died; waits out its back-off
    DONE = "done"  # a one-off step that succeeded


class Action(StrEnum):
    NOTHING = "nothing"
    SPAWN = "spawn"
    KILL = "kill"


@dataclass(frozen=True)
class Status:
    """Where a process stands. Times are seconds of the monotonic clock."""

    phase: Phase = Phase.WAITING
    since: float = 0.0
    failures: int = 0  # in a row
    restarts: int = 0

    @property
    def is_satisfied(self) -> bool:
        """Whether those that need this process may start."""
        return self.phase in (Phase.RUNNING, Phase.DONE)

    @property
    def retry_at(self) -> float:
        return self.since + retry_seconds(self.failures)

    @property
    def gave_up(self) -> bool:
        return self.failures >= GIVES_UP_AFTER


@dataclass(frozen=True)
class Seen:
    """What the operating system showed at one look."""

    alive: bool
    exit_code: int | None = None  # None while alive, or when another process reaped it
    healthy: bool = False
    needs_met: bool = True


def retry_seconds(failures: int) -> float:
    """Exponential back-off: 0.5, 1, 2, 4 … 30 seconds."""
    return min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** max(0, failures - 1))


def advance(
    status: Status, seen: Seen, *, once: bool, start_seconds: float, now: float
) -> tuple[Status, Action]:
    """The status after one look, and what the caller must do to make it true."""
    match status.phase:
        case Phase.WAITING if seen.needs_met:
            return replace(status, phase=Phase.STARTING, since=now), Action.SPAWN
        case Phase.RESTARTING if now >= status.retry_at and seen.needs_met:
            return replace(
                status, phase=Phase.STARTING, since=now, restarts=status.restarts + 1
            ), Action.SPAWN
        case Phase.STARTING:
            return _starting(status, seen, once=once, start_seconds=start_seconds, now=now)
        case Phase.RUNNING if not seen.alive:
            stable = now - status.since >= STABLE_SECONDS
            return _failed(replace(status, failures=0) if stable else status, now), Action.NOTHING
    return status, Action.NOTHING


def _starting(
    status: Status, seen: Seen, *, once: bool, start_seconds: float, now: float
) -> tuple[Status, Action]:
    if not seen.alive:
        if once and seen.exit_code == 0:
            return replace(status, phase=Phase.DONE, since=now, failures=0), Action.NOTHING
        return _failed(status, now), Action.NOTHING
    if seen.healthy and not once:
        return replace(status, phase=Phase.RUNNING, since=now), Action.NOTHING
    if now - status.since > start_seconds:
        return _failed(status, now), Action.KILL
    return status, Action.NOTHING


def _failed(status: Status, now: float) -> Status:
    return replace(status, phase=Phase.RESTARTING, since=now, failures=status.failures + 1)
