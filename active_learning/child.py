"""The child process of a job: started in a session of its own, and never left behind."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from django.conf import settings

PR_SET_PDEATHSIG = 1
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def start(argv: Sequence[str], *, log: Path) -> subprocess.Popen:
    """Start `argv` with its output appended to `log` and its threads capped. On Linux the kernel
    kills it when its supervisor dies, however that dies."""
    # Half the cores by default: the small networks gain a tenth from the other half, and lose a
    # multiple when the rest of the platform is on it (OpenMP's threads wait spinning).
    half = max(1, (os.cpu_count() or 1) // 2)
    threads = str(settings.TRAIN_THREADS or os.environ.get("OMP_NUM_THREADS") or half)
    with log.open("ab") as out:
        return subprocess.Popen(
            list(argv),
            cwd=settings.BASE_DIR,
            env=os.environ | dict.fromkeys(THREAD_VARIABLES, threads) | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_dies_with(os.getpid()),  # noqa: PLW1509 - a worker's pool has one thread
        )


def _dies_with(parent: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # loaded before the fork

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_kernel


def kill(process: subprocess.Popen) -> None:
    """End the child and everything it started, now."""
    _kill_group(process.pid)
    process.wait()


def kill_stray(pid: int | None, *, mark: str) -> bool:
    """End a child that an earlier supervisor left, if it is still there. Process ids are used
    again, so it must carry `mark` in its command line. Returns whether there was one."""
    if pid is None:
        return False
    try:
        process = psutil.Process(pid)
        if not any(mark in argument for argument in process.cmdline()):
            return False
        _kill_group(pid)
        process.wait(10)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False  # gone, or somebody else's by now
    return True


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):  # all of it has ended
        os.killpg(leader, signal.SIGKILL)
