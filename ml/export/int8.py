"""Static quantisation to int8, what it costs, and what it brings.

Convolutions and matrix products are quantised, per channel, to 7 bits where the processor would
saturate at 8. What decodes boxes stays float32: distances are sums over bins, which bear no
rounding, and coordinates and scores have no scale in common.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from ml import models
from ml.artifact import Artifact
from ml.errors import InputError
from ml.evaluate.recall import mean_recall, recall_by_brand
from ml.evaluate.report import average_precision
from ml.evaluate.scored import scored
from ml.images import image_paths, read_letterboxed
from ml.manifest import Manifest, read_manifest
from ml.models.base import Predictions
from ml.models.brand_rows import choose_brand_rows, targets
from ml.models.sessions.runtimes import onnx_runtime
from ml.models.variation import Config as VariationConfig
from ml.models.variation import variation_rows
from ml.predict import inputs_of, score

CALIBRATION = 128  # images
TURNS = 5  # of timing


def quantise(path: Path, out: Path, artifact: Artifact, manifest: Path) -> None:
    """Write the network in int8, its ranges taken from training images of the manifest.

    Raises:
        InputError: there are none.
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    data = read_manifest(manifest)
    rows = data.rows("train")
    if not len(rows):
        raise InputError(f"{data.path}: no rows with split train to quantise on")
    some = np.random.default_rng(0).permutation(len(rows))[:CALIBRATION]
    paths = image_paths(data, rows.take(pa.array(np.sort(some)))["image"].to_pylist())
    side = int(artifact.config["size"])

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._rest: Iterator[dict[str, np.ndarray]] = (
                {"squares": read_letterboxed(paths[i : i + 8], {side}).squares[side]}
                for i in range(0, len(paths), 8)
            )

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._rest, None)

    ready = out.with_name("ready.onnx")
    quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
    quantize_static(
        str(ready), str(out), Reader(),
        quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=not has_vnni(),
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Gemm", "MatMul"], nodes_to_exclude=_decoding(ready),
    )  # fmt: skip


def _decoding(path: Path) -> list[str]:
    """The nodes that turn a detector's bins into distances."""
    import onnx

    return [node.name for node in onnx.load(path).graph.node if "/dfl/" in node.name]


def has_vnni() -> bool:
    """Whether the processor multiplies 8 by 8 bits without saturating at 16."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "vnni" in cpuinfo.read_text()


def compare(plain: Artifact, small: Artifact, manifest: Path) -> dict[str, Any]:
    """`measure`, `rows`, and the measure by `float32` and by `int8`, on rows not trained on.

    Raises:
        InputError: there are no such rows.
    """
    data = read_manifest(manifest)
    rows = held_out_rows(plain, data)
    if not len(rows):
        raise InputError(f"{data.path}: no rows to measure int8 on (split val, or held out)")
    figures = {
        precision: _quality(artifact, data, rows)
        for precision, artifact in (("float32", plain), ("int8", small))
    }
    measure = "map50" if plain.kind == "detector" else "mean_recall"
    return {"measure": measure, "rows": len(rows)} | figures


def speedup(plain: Path, small: Path, side: int) -> float:
    """How many times faster int8 is here, by processor time: not every network gains, and
    processors differ."""
    squares = np.zeros((max(1, 640 // side), side, side, 3), np.uint8)
    runs = [onnx_runtime(path) for path in (plain, small)]
    seconds: list[list[float]] = [[], []]
    for turn in range(TURNS + 1):
        for run, times in zip(runs, seconds, strict=True):
            started = time.process_time()
            run(squares)
            if turn:  # the first is a warm-up
                times.append(time.process_time() - started)
    return median(seconds[0]) / median(seconds[1])


def held_out_rows(artifact: Artifact, data: Manifest) -> pa.Table:
    """The rows that a training of this model calibrates or validates on."""
    holdout = artifact.config["holdout"]
    if artifact.kind == "variation":
        return variation_rows(data, VariationConfig(holdout=holdout))[1]
    if artifact.kind == "classifier":
        return choose_brand_rows(
            data,
            brands=tuple(artifact.labels[:-1]),
            holdout=holdout,
            negatives_per_brand=None,
            hard_share=0.0,
            seed=0,
        ).calibration
    from ml.models.yolo.samples import choose_boxed_rows

    return choose_boxed_rows(data, brands=artifact.labels, holdout=holdout).validation


def _quality(artifact: Artifact, data: Manifest, rows: pa.Table) -> float:
    predictor = models.load(artifact)
    inputs = inputs_of(data, rows, {artifact.kind: predictor})
    batches = [found[artifact.kind] for found in score({artifact.kind: predictor}, inputs)]
    if artifact.kind == "detector":
        figures = average_precision(scored(artifact.kind, artifact.labels, rows, batches))
        return figures.get("map50", 0.0)
    probabilities = Predictions.join(batches).probabilities
    assert probabilities is not None  # noqa: S101 — not a detector
    truth = (
        targets(rows, artifact.labels).argmax(axis=1)
        if artifact.kind == "classifier"
        else np.array([artifact.labels.index(name) for name in rows["variation"].to_pylist()])
    )
    return mean_recall(recall_by_brand(probabilities.argmax(axis=1) == truth, truth.astype(str)))
