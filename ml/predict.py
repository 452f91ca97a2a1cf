"""Scores of images and titles by any number of models: every image is decoded once for all of
them, in a stream of flat memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from ml import models
from ml.artifact import read_artifact
from ml.errors import Cancelled, InputError
from ml.images import image_paths, open_image, read_ahead
from ml.manifest import Manifest
from ml.models.base import AnyPredictor, Predictions, ShouldStop, TitlePredictor

BATCH = 32
TITLES = 1024  # a batch where no image is opened


@dataclass(frozen=True)
class Inputs:
    """What is asked about, row by row. Only the list that some model reads is filled."""

    paths: Sequence[Path] = ()
    titles: Sequence[str] = ()

    def __len__(self) -> int:
        return max(len(self.paths), len(self.titles))

    @property
    def batch(self) -> int:
        """How many are scored at once."""
        return BATCH if self.paths else TITLES

    def slice(self, start: int, end: int) -> "Inputs":
        return Inputs(self.paths[start:end], self.titles[start:end])


def load_models(directories: Sequence[Path]) -> dict[str, AnyPredictor]:
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


def inputs_of(data: Manifest, rows: pa.Table, predictors: Mapping[str, AnyPredictor]) -> Inputs:
    """What these models read of a manifest's rows.

    Raises:
        InputError: an image file is missing that a model would look at.
    """
    titled = [isinstance(predictor, TitlePredictor) for predictor in predictors.values()]
    return Inputs(
        () if all(titled) else image_paths(data, rows["image"].to_pylist()),
        [title or "" for title in rows["title"].to_pylist()] if any(titled) else (),
    )


def score(
    predictors: Mapping[str, AnyPredictor],
    inputs: Inputs,
    *,
    should_stop: ShouldStop = lambda: False,
) -> Iterator[dict[str, Predictions]]:
    """Every model's predictions, batch by batch, in the order of the inputs.

    Raises:
        InputError: an image cannot be read; the message names it.
        Cancelled: `should_stop` became true.
    """
    size = inputs.batch
    images = read_ahead(open_image, inputs.paths, ahead=2 * size)
    for start in range(0, len(inputs), size):
        batch = list(islice(images, size))
        if should_stop():
            images.close()
            raise Cancelled
        titles = inputs.titles[start : start + size]
        yield {kind: _predict(model, batch, titles) for kind, model in predictors.items()}


def predict(
    *, directories: Sequence[Path], images: Sequence[Path], titles: Sequence[str]
) -> list[dict[str, Any]]:
    """For each image its path, then for each title its text, and, by kind of model, the scores by
    label or the boxes.

    Raises:
        InputError: there is nothing to score, or no model that could; an image cannot be read.
    """
    for image in images:
        if not image.is_file():
            raise InputError(f"image file missing: {image}")
    predictors = load_models(directories)
    reading = {
        kind: model for kind, model in predictors.items() if isinstance(model, TitlePredictor)
    }
    looking = {kind: model for kind, model in predictors.items() if kind not in reading}
    for given, able, what in ((images, looking, "image"), (titles, reading, "title")):
        if bool(given) != bool(able):
            known = ", ".join(predictors)
            raise InputError(
                f"{what}s are given, but no model reads them (only {known})"
                if given
                else f"{', '.join(able)}: no {what} is given"
            )
    return [
        *_described("image", list(map(str, images)), looking, Inputs(paths=images)),
        *_described("title", titles, reading, Inputs(titles=titles)),
    ]


def _described(
    name: str, asked: Sequence[str], predictors: Mapping[str, AnyPredictor], inputs: Inputs
) -> Iterator[dict[str, Any]]:
    rest = iter(asked)
    for batch in score(predictors, inputs):
        for i, one in enumerate(islice(rest, inputs.batch)):
            yield {name: one} | {
                kind: _describe(predictors[kind].labels, found, i) for kind, found in batch.items()
            }


def _predict(
    model: AnyPredictor, images: Sequence[Image.Image], titles: Sequence[str]
) -> Predictions:
    if isinstance(model, TitlePredictor):
        return model.predict_titles(titles)
    return model.predict(images)


def _describe(labels: Sequence[str], predictions: Predictions, i: int) -> Any:
    if predictions.boxes is not None:
        return [vars(box) for box in predictions.boxes[i]]
    assert predictions.probabilities is not None  # noqa: S101 — a model says one or the other
    row = predictions.probabilities[i]
    return {labels[k]: round(float(row[k]), 6) for k in np.argsort(-row)}
