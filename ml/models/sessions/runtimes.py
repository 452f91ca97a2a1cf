"""What runs an ONNX file."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ml.errors import InputError

log = logging.getLogger(__name__)
MODEL = "model.onnx"
# Pixels that a network is given at once: more does not make it faster, and takes memory.
PIXELS = 4 * 640 * 640

Session = Callable[[np.ndarray], list[np.ndarray]]


def open_session(path: Path) -> Session:
    """The network as a function of uint8 squares [n, s, s, 3]: on a GPU where ONNX Runtime has
    one, else on a CPU."""
    run = onnx_runtime(path)

    def in_pieces(squares: np.ndarray) -> list[np.ndarray]:
        size = max(1, PIXELS // squares[0].shape[0] ** 2) if len(squares) else 1
        pieces = [run(squares[i : i + size]) for i in range(0, max(1, len(squares)), size)]
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    return in_pieces


def onnx_runtime(path: Path) -> Session:
    """One run of any number of squares, on the calling thread.

    Raises:
        InputError: the file is not what ONNX Runtime can run.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in ort.get_available_providers()]
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # their exceptions have no common base of their own
        raise InputError(f"{path}: ONNX Runtime cannot run it: {error}") from error
    log.info("onnxruntime: %s", session.get_providers()[0])
    (name,) = (one.name for one in session.get_inputs())
    return lambda squares: session.run(None, {name: squares})
