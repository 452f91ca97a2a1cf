"""Scores of images and titles by any number of models: every image is decoded once for all of
them, in a stream of flat memory."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml import models
from ml.artifact import Artifact, identity, read_artifact
from ml.errors import Cancelled, InputError
from ml.images import cores, image_paths, read_ahead
from ml.manifest import Manifest
from ml.models.attacks import attacks_told
from ml.models.base import (
    AnyPredictor,
    FusionPredictor,
    Predictions,
    Predictor,
    ShouldStop,
    TitlePredictor,
)
from ml.pipeline import Inputs, Pipeline
from ml.progress import Progress


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
    given = {a.kind: identity(a) for a in artifacts if a.kind != fusion.kind}
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
    cascade: bool = False,
    workers: int | None = None,
    should_stop: ShouldStop = lambda: False,
) -> Generator[dict[str, Predictions]]:
    """Every model's predictions, batch by batch, in the order of the inputs.

    Args:
        cascade: the detector looks only where the fusion is undecided without it.
        workers: batches under way at once, each on a thread of its own; one a core when None.

    Raises:
        InputError: an image cannot be read; the message names it. Or see `Pipeline`.
        Cancelled: `should_stop` became true.
    """
    pipeline = Pipeline(predictors, cascade=cascade)
    size = inputs.batch
    batches = (inputs.slice(start, start + size) for start in range(0, len(inputs), size))
    readers = workers or cores()
    done = read_ahead(pipeline.run, batches, readers=readers, ahead=2 * readers)
    for found in done:
        if should_stop():
            done.close()
            raise Cancelled
        yield found


def score_all(
    predictors: Mapping[str, AnyPredictor],
    inputs: Inputs,
    *,
    progress: Progress | None = None,
    cascade: bool = False,
    workers: int | None = None,
    should_stop: ShouldStop = lambda: False,
) -> dict[str, Predictions]:
    """As `score`, each model's batches as one; what is scored must fit in memory."""
    parts: dict[str, list[Predictions]] = {kind: [] for kind in predictors}
    batches = score(predictors, inputs, cascade=cascade, workers=workers, should_stop=should_stop)
    for i, batch in enumerate(batches):
        if progress is not None:
            progress.report("score", i * inputs.batch / len(inputs))
        for kind, found in batch.items():
            parts[kind].append(found)
    return {kind: Predictions.join(found) for kind, found in parts.items()}


def predict(
    *, directories: Sequence[Path], images: Sequence[Path], titles: Sequence[str]
) -> list[dict[str, Any]]:
    """For each image its path, then for each title its text, and, by kind of model, the scores by
    label or the boxes; under `attacks` what a classifier says of the mark, where it tells that.

    Raises:
        InputError: there is nothing to score, or no model that could; an image cannot be read.
    """
    for image in images:
        if not image.is_file():
            raise InputError(f"image file missing: {image}")
    predictors = load_models(directories)
    if any(isinstance(model, FusionPredictor) for model in predictors.values()):
        return _of_items(predictors, images, titles)
    looking, reading = readers(predictors, images, titles)
    images_named = [{"image": str(image)} for image in images]
    titles_named = [{"title": title} for title in titles]
    return [
        *_described(images_named, looking, Inputs(paths=images)),
        *_described(titles_named, reading, Inputs(titles=titles)),
    ]


def readers(
    predictors: Mapping[str, AnyPredictor], images: Sequence[Path], titles: Sequence[str]
) -> tuple[dict[str, Predictor], dict[str, TitlePredictor]]:
    """The models that read images, and those that read titles.

    Raises:
        InputError: there is nothing for a model to read, or no model that reads what is given.
    """
    reading = {
        kind: model for kind, model in predictors.items() if isinstance(model, TitlePredictor)
    }
    looking = {kind: model for kind, model in predictors.items() if isinstance(model, Predictor)}
    for given, able, what in ((images, looking, "image"), (titles, reading, "title")):
        if bool(given) != bool(able):
            known = ", ".join(predictors)
            raise InputError(
                f"{what}s are given, but no model reads them (only {known})"
                if given
                else f"{', '.join(able)}: no {what} is given"
            )
    return looking, reading


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
            said: dict[str, Any] = {
                kind: _describe(predictors[kind].labels, found, i) for kind, found in batch.items()
            }
            for found in batch.values():
                if found.attacks is not None:
                    told = attacks_told(found.attacks[i])
                    said["attacks"] = {name: round(chance, 6) for name, chance in told.items()}
            yield one | said


def _describe(labels: Sequence[str], predictions: Predictions, i: int) -> Any:
    if predictions.boxes is not None:
        return [vars(box) for box in predictions.boxes[i] or ()]
    assert predictions.probabilities is not None  # noqa: S101 — a model says one or the other
    row = predictions.probabilities[i]
    return {labels[k]: round(float(row[k]), 6) for k in np.argsort(-row)}
