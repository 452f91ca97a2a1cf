"""Starting: everything that is decided and checked before the first process, and the two ways to
supervise, in the foreground and in the background."""

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import redis

from webapp.supervisor import manager, postgres, redis_server
from webapp.supervisor.errors import UpError
from webapp.supervisor.plan import Plan, make_plan, port_is_free, write_plan
from webapp.supervisor.secrets import take_first_showing
from webapp.supervisor.specs import specs_of
from webapp.supervisor.state import read_state, recorded_processes

LOG = "supervisor.log"
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_TIME_WIDTH = len("2026-01-01 00:00:00 ")


def prepare(
    *, home: Path, base_dir: Path, environment: Mapping[str, str], options: Mapping[str, Any]
) -> Plan:
    """Check all that can be checked beforehand, then write secrets and addresses. The caller holds
    the installation's lock.

    Raises:
        UpError: disk, port or setting: nothing has been started.
    """
    (home / "log").mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(home).free
    if free < manager.LEAST_FREE_BYTES:
        raise UpError(manager.disk_line(home, free))
    left = recorded_processes(home)
    plan = make_plan(
        home=home,
        base_dir=base_dir,
        environment=environment,
        options=options,
        redis_runs="redis" in left,
    )
    for name, port in plan.ports().items():
        if name not in left and not port_is_free(port):
            raise UpError(
                f"port {port} for {name} is taken by another program; "
                f"choose another with --{name}-port"
            )
    _check_external(plan)
    write_plan(plan)
    return plan


def supervise(plan: Plan, *, announce: Callable[[str], None]) -> int:
    """Run the platform until it is stopped; the exit status."""
    return manager.Supervisor(
        home=plan.home, base_dir=plan.base_dir, specs=specs_of(plan), announce=announce
    ).run()


def start_in_background(plan: Plan, *, lock: int) -> subprocess.Popen:
    """Start a supervisor that outlives this process and holds the lock from now on."""
    return subprocess.Popen(
        [sys.executable, "-m", "webapp.supervisor", str(lock)],
        cwd=plan.base_dir,
        env={**os.environ, "TOUCHSTONE_HOME": str(plan.home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=[lock],
    )


def wait_until_ready(
    plan: Plan, supervisor: subprocess.Popen, *, offset: int, say: Callable[[str], None]
) -> int:
    """Repeat what the background supervisor reports (its log, from `offset` on) until all is up.

    Returns:
        0 when it is, else the supervisor's exit status.
    """
    path = plan.log_dir / LOG
    while True:
        code = supervisor.poll()
        offset = _repeat_lines(path, offset, say)
        if code is not None:
            return code or 1
        state = read_state(plan.home)
        if state.get("ready") and state["supervisor"]["pid"] == supervisor.pid:
            return 0
        time.sleep(0.2)


def log_to_file(home: Path) -> None:
    """Send what the supervisor reports to its log, and its crashes too."""
    handler = logging.FileHandler(home / "log" / LOG)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", _TIME_FORMAT))
    logger = logging.getLogger("up")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)


def log_to(say: Callable[[str], None]) -> None:
    """Show what the supervisor reports to the person who started it."""

    class Said(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    logging.getLogger("up").addHandler(Said())


def addresses(plan: Plan) -> str:
    """The addresses, and the first passwords if nobody has been shown them yet."""
    lines = [
        f"  Touchstone     {plan.services['PUBLIC_URL']}",
        f"  labelling      {plan.services['GATEWAY_URL']}",
        f"  Label Studio   {plan.services['LABEL_STUDIO_URL']} (its owner alone)",
    ]
    if take_first_showing(plan.home):
        secrets = plan.secrets
        lines.append(f"  log in with    {secrets['ADMIN_USERNAME']} / {secrets['ADMIN_PASSWORD']}")
        if "LABEL_STUDIO_URL" not in plan.external:
            owner = f"{secrets['LABEL_STUDIO_EMAIL']} / {secrets['LABEL_STUDIO_PASSWORD']}"
            lines.append(f"  Label Studio's owner: {owner}")
        lines.append(f"  Shown this once; they stay in {plan.home / 'secrets.json'}")
    else:
        lines.append(f"  first passwords: in {plan.home / 'secrets.json'}")
    return "\n".join(lines)


def _repeat_lines(path: Path, offset: int, say: Callable[[str], None]) -> int:
    if not path.exists():
        return offset
    with path.open("rb") as file:
        file.seek(offset)
        whole, newline, _ = file.read().rpartition(b"\n")
    for line in whole.decode(errors="replace").splitlines():
        say(line[_TIME_WIDTH:] if line[:4].isdecimal() else line)
    return offset + len(whole) + len(newline)


def _check_external(plan: Plan) -> None:
    if "DATABASE_URL" in plan.external:
        _check_database(plan.services["DATABASE_URL"])
    if "REDIS_URL" in plan.external:
        try:
            redis_server.check(plan.services["REDIS_URL"], seconds=5)
        except (redis.RedisError, ValueError) as error:
            raise UpError(f"REDIS_URL: no answer from Redis: {error}") from error
    if "LABEL_STUDIO_URL" in plan.external:
        url = f"{plan.services['LABEL_STUDIO_URL']}/health"
        try:
            httpx.get(url, timeout=10).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UpError(f"LABEL_STUDIO_URL: {url} does not answer: {error}") from error


def _check_database(url: str) -> None:
    if not url.startswith(("postgres://", "postgresql://")):
        raise UpError("DATABASE_URL must begin with postgresql://")
    try:
        postgres.check(url, seconds=5)
    except psycopg2.Error as error:
        reason = " ".join(str(error).split())
        raise UpError(f"DATABASE_URL: cannot use this database: {reason}") from error
