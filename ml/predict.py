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
from ml.artifact import META, Artifact, file_sha256, read_artifact
from ml.errors import Cancelled, InputError
from ml.images import image_paths, open_image, read_ahead
from ml.manifest import Manifest
from ml.models.base import (
    AnyPredictor,
    FusionPredictor,
    Predictions,
    Predictor,
    ShouldStop,
    TitlePredictor,
)

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
    """Predictors by kind; a fusion comes last.

    Raises:
        InputError: a folder holds no complete model, two hold the same kind, or a fusion is not
            given with the models it was fitted with.
    """
    artifacts = [read_artifact(directory) for directory in directories]
    kinds = [artifact.kind for artifact in artifacts]
    twice = [kind for kind in kinds if kinds.count(kind) > 1]
    if twice:
        raise InputError(f"two models are a {twice[0]}; give one of each kind")
    loaded = {artifact.kind: models.load(artifact) for artifact in artifacts}
    fusions = {kind: one for kind, one in loaded.items() if isinstance(one, FusionPredictor)}
    for one in fusions.values():
        _check_parts(one, artifacts)
    return {kind: one for kind, one in loaded.items() if kind not in fusions} | fusions


def _check_parts(fusion: FusionPredictor, artifacts: Sequence[Artifact]) -> None:
    given = {a.kind: file_sha256(a.path(META)) for a in artifacts if a.kind != fusion.kind}
    strange = sorted(kind for kind, digest in given.items() if fusion.models.get(kind) != digest)
    if strange:
        raise InputError(f"the fusion was not fitted with this {strange[0]}: train it anew")
    if not given:
        raise InputError(f"a fusion needs its models beside it: {', '.join(fusion.models)}")


def inputs_of(data: Manifest, rows: pa.Table, predictors: Mapping[str, AnyPredictor]) -> Inputs:
    """What these models read of a manifest's rows.

    Raises:
        InputError: an image file is missing that a model would look at.
    """
    looks = any(isinstance(predictor, Predictor) for predictor in predictors.values())
    reads = any(isinstance(predictor, TitlePredictor) for predictor in predictors.values())
    return Inputs(
        image_paths(data, rows["image"].to_pylist()) if looks else (),
        [title or "" for title in rows["title"].to_pylist()] if reads else (),
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
        found: dict[str, Predictions] = {}
        for kind, model in predictors.items():
            found[kind] = (
                _fuse(model, found, predictors, titles, min(size, len(inputs) - start))
                if isinstance(model, FusionPredictor)
                else _predict(model, batch, titles)
            )
        yield found


def _fuse(
    fusion: FusionPredictor,
    found: Mapping[str, Predictions],
    predictors: Mapping[str, AnyPredictor],
    titles: Sequence[str],
    rows: int,
) -> Predictions:
    labels = {kind: predictors[kind].labels for kind in found}
    titled = np.array([bool(title) for title in titles] or [False] * rows, bool)
    return fusion.fuse(found, labels, titled)


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
    if any(isinstance(model, FusionPredictor) for model in predictors.values()):
        return _of_items(predictors, images, titles)
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
    images_named = [{"image": str(image)} for image in images]
    titles_named = [{"title": title} for title in titles]
    return [
        *_described(images_named, looking, Inputs(paths=images)),
        *_described(titles_named, reading, Inputs(titles=titles)),
    ]


def _of_items(
    predictors: Mapping[str, AnyPredictor], images: Sequence[Path], titles: Sequence[str]
) -> list[dict[str, Any]]:
    """What is fused is one item's image and title."""
    looks = any(isinstance(model, Predictor) for model in predictors.values())
    reads = any(isinstance(model, TitlePredictor) for model in predictors.values())
    if looks != bool(images) or (titles and not reads):
        raise InputError(f"these models ({', '.join(predictors)}) do not read what is given")
    if titles and images and len(titles) != len(images):
        raise InputError(f"{len(images)} images and {len(titles)} titles: give one for each image")
    if not images and not titles:
        raise InputError("nothing to score is given")
    titles = titles or [""] * len(images)
    named = [
        ({"image": str(images[i])} if images else {}) | ({"title": title} if title else {})
        for i, title in enumerate(titles)
    ]
    inputs = Inputs(paths=images, titles=titles if reads else ())
    return list(_described(named, predictors, inputs))


def _described(
    asked: Sequence[dict[str, Any]], predictors: Mapping[str, AnyPredictor], inputs: Inputs
) -> Iterator[dict[str, Any]]:
    rest = iter(asked)
    for batch in score(predictors, inputs):
        for i, one in enumerate(islice(rest, inputs.batch)):
            yield one | {
                kind: _describe(predictors[kind].labels, found, i) for kind, found in batch.items()
            }


def _predict(
    model: Predictor | TitlePredictor, images: Sequence[Image.Image], titles: Sequence[str]
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
