"""What runs an ONNX file."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.errors import InputError

log = logging.getLogger(__name__)
MODEL = "model.onnx"
# Pixels that a network is given at once: more does not make it faster, and takes memory.
PIXELS = 4 * 640 * 640
USUAL = ("CUDAExecutionProvider", "CPUExecutionProvider")
TENSORRT = "TensorrtExecutionProvider"

Session = Callable[[np.ndarray], list[np.ndarray]]


def open_session(path: Path) -> Session:
    """The network as a function of uint8 squares [n, s, s, 3], see `onnx_runtime`."""
    run = onnx_runtime(path)

    def in_pieces(squares: np.ndarray) -> list[np.ndarray]:
        size = max(1, PIXELS // squares[0].shape[0] ** 2) if len(squares) else 1
        pieces = [run(squares[i : i + size]) for i in range(0, max(1, len(squares)), size)]
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    return in_pieces


def onnx_runtime(path: Path) -> Session:
    """One run of any number of squares, on the calling thread: on a GPU where ONNX Runtime has one,
    else on a CPU, or by what `ONNX_PROVIDERS` names.

    Raises:
        InputError: the file is not what ONNX Runtime can run, or it lacks a provider that is named.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = _providers(path, ort.get_available_providers())
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # their exceptions have no common base of their own
        raise InputError(f"{path}: ONNX Runtime cannot run it: {error}") from error
    log.info("onnxruntime: %s", session.get_providers()[0])
    (name,) = (one.name for one in session.get_inputs())
    return lambda squares: session.run(None, {name: squares})


def _providers(path: Path, available: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Providers and their options, preferred first."""
    asked = [name.strip() for name in os.environ.get("ONNX_PROVIDERS", "").split(",")]
    names = [name for name in asked if name]
    if missing := set(names) - set(available):
        raise InputError(
            f"ONNX_PROVIDERS: ONNX Runtime has no {min(missing)} here, only: {', '.join(available)}"
        )
    names = names or [name for name in USUAL if name in available]
    # TensorRT takes minutes to make an engine of a network; kept, it is made once.
    kept = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(path.with_name("engine"))}
    return [(name, kept if name == TENSORRT else {}) for name in names]
