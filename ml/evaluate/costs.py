"""What a model costs: its size on a disk and the time an image takes."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.artifact import artifact_bytes, read_artifact
from ml.models.base import AnyPredictor, FusionPredictor
from ml.pipeline import Inputs, Pipeline

BATCHES = 4
RUNS = 3  # at least


def costs(
    directories: Sequence[Path], predictors: Mapping[str, AnyPredictor], inputs: Inputs
) -> dict[str, dict[str, Any]]:
    """By kind, `{"megabytes", "milliseconds"}`: the latter an item on one thread, from the file to
    the scores, where the model is alone; not of a fusion, which only joins what others say.

    Of a few batches the fastest counts: whatever else the machine does can only slow one down.
    """
    sizes = {one.kind: artifact_bytes(one) / 1e6 for one in map(read_artifact, directories)}
    found: dict[str, dict[str, Any]] = {kind: {"megabytes": sizes[kind]} for kind in predictors}
    starts = range(0, min(len(inputs), BATCHES * inputs.batch), inputs.batch)
    batches = [inputs.slice(start, start + inputs.batch) for start in starts]
    for kind, model in predictors.items():
        if not isinstance(model, FusionPredictor):
            pipeline = Pipeline({kind: model})
            pipeline.run(batches[0])  # what is set up at its first use
            repeated = batches * -(-RUNS // len(batches))
            found[kind]["milliseconds"] = min(_milliseconds(pipeline, b) for b in repeated)
    return found


def _milliseconds(pipeline: Pipeline, batch: Inputs) -> float:
    start = time.perf_counter()
    pipeline.run(batch)
    return 1000 * (time.perf_counter() - start) / len(batch)
