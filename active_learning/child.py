"""The child process of a job: started in a session of its own, held to its device and memory, and
never left behind."""

import ctypes
import os
import resource
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


GIGABYTE = 2**30
# What Python, numpy, torch, Arrow, OpenCV, ONNX Runtime, C++, OpenMP and the linker say when they
# get no more.
# "CUDA out of memory" is not among them: a device's own memory is not what is limited.
OUT_OF_MEMORY = (
    "MemoryError",
    "std::bad_alloc",
    "can't allocate memory",
    "not enough memory: you tried to allocate",
    "Cannot allocate memory",
    "malloc of size",
    "Failed to allocate",
    "can't start new thread",
    "Thread creation failed",
    "failed to map segment",
)


def start(argv: Sequence[str], *, log: Path, device: str = "") -> subprocess.Popen:
    """Start `argv` with its output appended to `log`, its threads capped, and on Linux the memory
    of each of its processes too. There the kernel also kills it when its supervisor dies, however
    that dies.

    Args:
        device: one of TRAIN_DEVICES, the only one that it sees; "": it sees them all.
    """
    # Half the cores by default: the small networks gain a tenth from the other half, and lose a
    # multiple when the rest of the platform is on it (OpenMP's threads wait spinning).
    half = max(1, (os.cpu_count() or 1) // 2)
    threads = str(settings.TRAIN_THREADS or os.environ.get("OMP_NUM_THREADS") or half)
    with log.open("ab") as out:
        return subprocess.Popen(
            list(argv),
            cwd=settings.BASE_DIR,
            env=os.environ
            | dict.fromkeys(THREAD_VARIABLES, threads)
            | {"PYTHONUNBUFFERED": "1"}
            | _seen(device),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_bound_to(os.getpid()),  # noqa: PLW1509 - a worker's pool has one thread
        )


def _seen(device: str) -> dict[str, str]:
    """The variable that leaves a child one device. `cuda:1` is the second of those that we see."""
    name, _, number = device.partition(":")
    if not name:
        return {}
    if name == "cpu":
        return {"CUDA_VISIBLE_DEVICES": ""}
    ours = os.environ.get("CUDA_VISIBLE_DEVICES")
    if ours is None:
        return {"CUDA_VISIBLE_DEVICES": number}
    visible = ours.split(",")
    # One too many leaves none, which the child refuses: it is told to use CUDA.
    return {"CUDA_VISIBLE_DEVICES": visible[int(number)] if int(number) < len(visible) else ""}


def _bound_to(parent: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # loaded before the fork
    most = int(settings.CHILD_MEMORY_GB * GIGABYTE)

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if most:
            # Of the heap and private writable mappings. The address space as a whole (RLIMIT_AS)
            # says nothing: CUDA alone reserves more of it than any machine has memory.
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask_kernel


def memory_error(lines: Sequence[str]) -> str | None:
    """What to say of a child that failed with these lines in its log at the limit of its memory;
    None where there is no limit, or they are of something else."""
    if not settings.CHILD_MEMORY_GB:
        return None
    found = [line for line in lines if any(sign in line for sign in OUT_OF_MEMORY)]
    if not found:
        return None
    return (
        f"it needed more memory than CHILD_MEMORY_GB allows a process"
        f" ({settings.CHILD_MEMORY_GB:g} GB): {found[-1].strip()}"
    )


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
