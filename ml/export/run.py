"""Export of one model: the network, a check against torch, int8 where it is good enough."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ml.artifact import META, Artifact, code_version, identity, read_artifact, write_artifact
from ml.errors import InputError
from ml.export.onnx import network, write_onnx
from ml.files import write_atomically
from ml.models.sessions.runtimes import MODEL, onnx_runtime
from ml.progress import Progress

# Largest relative difference between torch and the export: both round in float32.
CLOSE = 1e-3
LOSS = 0.005  # of the measure, by int8, at most
GAIN = 1.1  # times as fast, at least


def export(*, model: Path, out: Path, int8: Path | None, progress: Progress) -> Artifact:
    """Write an artifact that is served without torch.

    Args:
        int8: a manifest to quantise and to measure on. The export is in int8 if that costs at most
            LOSS on rows not trained on, and is GAIN times as fast here; else in float32, as without
            it. `metrics["export"]` has the figures and the precision.

    Raises:
        InputError: no such model, one that cannot be exported, `out` holds one, or the manifest
            has no rows that tell what int8 costs.
    """
    source = read_artifact(model)
    if (out / META).exists():
        raise InputError(f"{out}: holds a model already; choose an empty folder")
    with TemporaryDirectory(prefix="touchstone-export-") as folder:
        plain = Path(folder) / MODEL
        progress.report("export", 0.1)
        write_onnx(source, plain)
        metrics: dict[str, Any] = {"difference": _difference(source, plain)}
        artifact = _described(source, "float32", directory=Path(folder))
        chosen = plain
        if int8 is not None:
            from ml.export import int8 as quantisation

            small = Path(folder) / "int8" / MODEL
            small.parent.mkdir()
            progress.report("quantise", 0.4)
            quantisation.quantise(plain, small, artifact, int8)
            progress.report("measure", 0.7)
            there = replace(artifact, directory=small.parent)
            metrics |= quantisation.compare(artifact, there, int8)
            gain = quantisation.speedup(plain, small, int(source.config["size"]))
            metrics |= {"speedup": round(gain, 2)}
            if metrics["float32"] - metrics["int8"] <= LOSS and gain >= GAIN:
                artifact, chosen = _described(source, "int8", directory=Path(folder)), small
        metrics |= {"precision": artifact.exported["precision"]}
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / MODEL, chosen.read_bytes())
    return write_artifact(replace(artifact, metrics=source.metrics | {"export": metrics}), out)


def _described(source: Artifact, precision: str, *, directory: Path) -> Artifact:
    made = {"format": "onnx", "precision": precision, "from": identity(source)}
    return replace(
        source,
        code_version=code_version(),
        files={MODEL: ""},
        exported=made,
        directory=directory,
    )


def _difference(source: Artifact, path: Path) -> float:
    """Between torch and ONNX Runtime, of each output, as a share of the largest value there.

    Raises:
        InputError: it is not just rounding.
    """
    import torch

    net, _, side = network(source)
    squares = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = net.cpu().eval()(torch.from_numpy(squares))
    values = [one.numpy() for one in (expected if isinstance(expected, tuple) else (expected,))]
    found = onnx_runtime(path)(squares)
    difference = max(
        float(np.abs(one - other).max() / np.abs(one).max())
        for one, other in zip(values, found, strict=True)
    )
    if not difference <= CLOSE:
        raise InputError(
            f"{source.directory}: the exported network differs from torch by {difference:.2g}"
        )
    return difference
