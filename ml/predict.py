"""Scores of images by any number of models, decoded once, in a stream of flat memory."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ml import models
from ml.artifact import read_artifact
from ml.errors import Cancelled, InputError
from ml.images import open_image, read_ahead
from ml.models.base import Predictions, Predictor, ShouldStop

BATCH = 32


def load_models(directories: Sequence[Path]) -> dict[str, Predictor]:
    """Predictors by kind.

    Raises:
        InputError: a folder holds no complete model, or two hold the same kind.
    """
    artifacts = [read_artifact(directory) for directory in directories]
    kinds = [artifact.kind for artifact in artifacts]
    twice = [kind for kind in kinds if kinds.count(kind) > 1]
    if twice:
        raise InputError(f"two models are a {twice[0]}; give one of each kind")
    return {artifact.kind: models.load(artifact) for artifact in artifacts}


def score(
    predictors: Mapping[str, Predictor],
    paths: Sequence[Path],
    *,
    should_stop: ShouldStop = lambda: False,
    batch_size: int = BATCH,
) -> Iterator[dict[str, Predictions]]:
    """Every model's predictions, batch by batch, in the order of the paths.

    Raises:
        InputError: an image cannot be read; the message names it.
        Cancelled: `should_stop` became true.
    """
    images = read_ahead(open_image, paths, ahead=2 * batch_size)
    while batch := list(islice(images, batch_size)):
        if should_stop():
            images.close()
            raise Cancelled
        yield {kind: predictor.predict(batch) for kind, predictor in predictors.items()}


def predict_images(*, directories: Sequence[Path], images: Sequence[Path]) -> list[dict[str, Any]]:
    """For each image its path and, by kind of model, its scores by label or its boxes."""
    for image in images:
        if not image.is_file():
            raise InputError(f"image file missing: {image}")
    predictors = load_models(directories)
    rows: list[dict[str, Any]] = []
    for batch in score(predictors, images):
        for i in range(min(BATCH, len(images) - len(rows))):
            found = {
                kind: _describe(predictors[kind].labels, batch[kind], i) for kind in predictors
            }
            rows.append({"image": str(images[len(rows)]), **found})
    return rows


def _describe(labels: Sequence[str], predictions: Predictions, i: int) -> Any:
    if predictions.boxes is not None:
        return [vars(box) for box in predictions.boxes[i]]
    assert predictions.probabilities is not None  # noqa: S101 — a model says one or the other
    row = predictions.probabilities[i]
    return {labels[k]: round(float(row[k]), 6) for k in np.argsort(-row)}
