"""The supervisor itself: one loop that looks at every process and does what `policy` says."""

import logging
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from webapp.supervisor import logs, processes
from webapp.supervisor.policy import Action, Phase, Seen, Status, advance, retry_seconds
from webapp.supervisor.processes import Running
from webapp.supervisor.specs import Spec
from webapp.supervisor.state import recorded_processes, write_state
from webapp.supervisor.stopping import stop_all

log = logging.getLogger("up")
TICK_SECONDS = 0.2
HEALTH_SECONDS = 0.5  # between two looks at the health of a process that starts
HOUSEKEEPING_SECONDS = 30
LEAST_FREE_BYTES = 1_000_000_000


class Supervisor:
    """Runs `specs` for the installation at `home` until it is asked to stop.

    `announce(name)` is called when a process has come up, and with "" once all are up.
    """

    def __init__(
        self,
        *,
        home: Path,
        base_dir: Path,
        specs: Sequence[Spec],
        announce: Callable[[str], None],
    ) -> None:
        self.home = home
        self.base_dir = base_dir
        self.specs = {spec.name: spec for spec in specs}
        self.status = {spec.name: Status() for spec in specs}
        self.running: dict[str, Running] = {}
        self.announce = announce
        self.ready = False
        self._stop_signal = 0
        self._looked_at: dict[str, float] = {}
        self._housekeeping_at = 0.0
        self._written: object = None

    def run(self) -> int:
        """Supervise until SIGINT, SIGTERM or SIGHUP, or until the first start has failed.

        Returns:
            The exit status: 0 when asked to stop, 1 when a process could not be brought up.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        self._recover()
        failed: str | None = None
        while not self._stop_signal and failed is None:
            self._tick()
            failed = self._gave_up()
            time.sleep(TICK_SECONDS)
        if failed is not None:
            log.error("%s does not start. The end of its log (%s):", failed, self._log(failed))
            log.error("%s", logs.tail(self._log(failed)))
        log.info("stopping")
        stop_all(self.home, specs=self.specs, running=self.running)
        self.running.clear()
        self.status = {name: Status() for name in self.specs}
        self.ready = False
        self._write()
        log.info("stopped")
        return 1 if failed is not None else 0

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self._stop_signal = number

    def _recover(self) -> None:
        """Take over what an earlier supervisor left if it is what we would start, else end it."""
        left = recorded_processes(self.home)
        for name, running in left.items():
            spec = self.specs.get(name)
            if spec and not spec.once and spec.fingerprint == running.fingerprint:
                self.running[name] = running
                self.status[name] = Status(phase=Phase.STARTING, since=time.monotonic())
                log.info("%s still runs (pid %d): taken over", name, running.pid)
        stop_all(
            self.home,
            specs=self.specs,
            running={name: one for name, one in left.items() if name not in self.running},
            keep=set(self.running),
        )
        self._write()

    def _tick(self) -> None:
        now = time.monotonic()
        for name in self.specs:
            self._step(name, now)
        if not self.ready and all(status.is_satisfied for status in self.status.values()):
            self.ready = True
            self._write()
            self.announce("")
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + HOUSEKEEPING_SECONDS
            self._keep_house()
        self._write()

    def _step(self, name: str, now: float) -> None:
        spec, before = self.specs[name], self.status[name]
        seen = self._see(spec, before, now)
        after, action = advance(
            before, seen, once=spec.once, start_seconds=spec.start_seconds, now=now
        )
        if action is Action.SPAWN:
            self._spawn(spec)
        elif action is Action.KILL:
            log.error("%s was not up after %.0f s: killed", name, spec.start_seconds)
            processes.end(processes.family(self.running[name].process), seconds=1)
        self.status[name] = after
        if after.phase is not before.phase:
            self._report(spec, before, after, seen)

    def _see(self, spec: Spec, status: Status, now: float) -> Seen:
        running = self.running.get(spec.name)
        alive, code = running.look() if running else (False, None)
        needs_met = all(self.status[need].is_satisfied for need in spec.needs)
        healthy = alive and status.phase is Phase.STARTING and self._is_healthy(spec, now)
        return Seen(alive=alive, exit_code=code, healthy=healthy, needs_met=needs_met)

    def _is_healthy(self, spec: Spec, now: float) -> bool:
        if spec.once or now - self._looked_at.get(spec.name, 0.0) < HEALTH_SECONDS:
            return False
        self._looked_at[spec.name] = now
        return spec.is_healthy()

    def _spawn(self, spec: Spec) -> None:
        """Start a process; what is left of its predecessor ends first (a job's child may outlive
        the worker that was killed)."""
        self.running.pop(spec.name, None)
        processes.end(processes.marked(self.home, [spec.name]), seconds=3)
        self.running[spec.name] = processes.spawn(spec, home=self.home, base_dir=self.base_dir)

    def _report(self, spec: Spec, before: Status, after: Status, seen: Seen) -> None:
        took = after.since - before.since
        if after.phase is Phase.RUNNING:
            log.info("%-24s up    %5.1f s", spec.name, took)
            self.announce(spec.name)
        elif after.phase is Phase.DONE:
            log.info("%-24s done  %5.1f s", spec.name, took)
        elif after.phase is Phase.RESTARTING:
            wait = retry_seconds(after.failures)
            how = "died" if seen.exit_code is None else f"exited with {seen.exit_code}"
            log.warning("%s %s; again in %.1f s (%s)", spec.name, how, wait, self._log(spec.name))

    def _gave_up(self) -> str | None:
        """The process that keeps the platform from its first readiness; once ready, none does:
        whatever dies then is tried again for ever."""
        if self.ready:
            return None
        return next((name for name, status in self.status.items() if status.gave_up), None)

    def _keep_house(self) -> None:
        for path in self.home.glob("log/*.log"):
            logs.rotate(path)
        free = shutil.disk_usage(self.home).free
        if free < LEAST_FREE_BYTES:
            log.warning("%s", disk_line(self.home, free))

    def _log(self, name: str) -> Path:
        return self.home / "log" / f"{name}.log"

    def _write(self) -> None:
        """Write `processes.json` when something has changed."""
        phases = {
            name: {"phase": status.phase, "since": status.since, "restarts": status.restarts}
            for name, status in self.status.items()
        }
        current = (self.ready, phases, {name: one.pid for name, one in self.running.items()})
        if current != self._written:
            write_state(self.home, ready=self.ready, running=self.running, phases=phases)
            self._written = current


def disk_line(home: Path, free: int) -> str:
    return f"the disk of {home} is nearly full: {free / 1e6:.0f} MB left, 1000 MB needed"
