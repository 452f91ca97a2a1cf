"""Where models run. GPU presets apply when CUDA is there, CPU presets otherwise."""

import logging
import os
from pathlib import Path

import torch

from ml.errors import InputError

log = logging.getLogger(__name__)


def choose_device(name: str = "auto", *, threads: int | None = None) -> torch.device:
    """The device by name (auto | cpu | cuda), with torch's threads set.

    `threads` of None is OMP_NUM_THREADS, or else half the cores: OpenMP's threads wait for each
    other spinning, so that with other processes on the same cores more of them are slower
    (measured on two busy cores: two threads took 4.5 times as long as one).

    Raises:
        InputError: an unknown name, or CUDA asked for where there is none.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"config: device must be auto, cpu or cuda, not {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("config: device is cuda, but there is no CUDA device here")
    # Set whatever it was: predictors take one thread, and may be loaded before a training.
    torch.set_num_threads(threads or _usual_threads())
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    log.info("device: %s, %d CPU threads", name, torch.get_num_threads())
    return torch.device(name)


def _usual_threads() -> int:
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(given) if given.isdigit() and int(given) else max(1, (os.cpu_count() or 1) // 2)


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 trains faster than float32 there: on GPUs, and on CPUs whose instructions
    multiply it (measured 1.5 to 1.8 times as fast; others emulate it slowly)."""
    if device.type != "cpu":
        return True
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags
