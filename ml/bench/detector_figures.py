"""What the detector's benchmark measures of a trained network: precision, small logos, size, and
time."""

import statistics
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ml.artifact import Artifact
from ml.errors import Cancelled
from ml.evaluate.boxes import (
    ImageBoxes,
    box_recall,
    image_boxes,
    mean_average_precision,
    score_at_false_boxes,
)
from ml.evaluate.slices import SIZES
from ml.images import image_area, image_paths, letterbox, open_image
from ml.manifest import Manifest
from ml.models.base import Box, Predictor, ShouldStop
from ml.models.detector import load
from ml.models.yolo.net import WEIGHTS
from ml.models.yolo.predictor import BoxPredictor
from ml.pipeline import Inputs
from ml.predict import score

SMALLEST = next(iter(SIZES))  # a box of less than this share of the picture is a small logo
FALSE_BOXES = 1 / 8  # an image without a listed brand, at the score where small logos are counted
SCORE_FLOOR = 0.001  # COCO's: precision is measured down to there


@dataclass(frozen=True)
class Pictures:
    """The closed, business and open pictures of a world, in this order of the manifest.

    Attributes:
        truths: for each picture its true boxes, as in the manifest.
        small: for each picture bool [m]: the true boxes below the smallest size.
        closed: bool [n]; precision is measured on these.
        empty: bool [n]: open pictures without a listed brand.
    """

    paths: list[Path]
    truths: list[list[dict[str, Any]]]
    small: list[np.ndarray]
    closed: np.ndarray
    empty: np.ndarray

    @classmethod
    def of(cls, world: Manifest) -> "Pictures":
        table = world.rows("closed", "business", "open")
        paths = image_paths(world, table["image"].to_pylist())
        truths = table["boxes"].to_pylist()
        split, answer = (np.array(table[name].to_pylist()) for name in ("split", "answer"))
        small = [_small(boxes, image_area(path)) for boxes, path in zip(truths, paths, strict=True)]
        return cls(paths, truths, small, split == "closed", (split == "open") & (answer != "brand"))


def _small(boxes: Sequence[Mapping[str, Any]], area: int) -> np.ndarray:
    areas = [(box["x2"] - box["x1"]) * (box["y2"] - box["y1"]) for box in boxes]
    return np.array(areas).reshape(-1) < SIZES[SMALLEST] * area


def figures_of(
    artifact: Artifact, scale: int, pictures: Pictures, should_stop: ShouldStop
) -> dict[str, float | None]:
    """mAP of the closed pictures, and recall of all small logos, at an input of `scale` pixels."""
    predictor = at_scale(artifact, scale, score_floor=SCORE_FLOOR)
    found = _found(predictor, pictures, should_stop)
    images = [image_boxes(t, f) for t, f in zip(pictures.truths, found, strict=True)]
    map50, map50_95 = mean_average_precision([images[i] for i in np.flatnonzero(pictures.closed)])
    return {
        "map50": map50,
        "map50_95": map50_95,
        "small_recall": box_recall(images, pictures.small, above=_limit(images, pictures)),
    }


def figures_of_brands(
    artifact: Artifact, brands: Collection[str], pictures: Pictures, should_stop: ShouldStop
) -> dict[str, float | None]:
    """mAP of these brands' boxes in all closed pictures, and their recall at so many false boxes of
    theirs."""
    pairs = zip(pictures.truths, _found(load(artifact), pictures, should_stop), strict=True)
    images = [
        image_boxes(
            [box for box in true if box["brand"] in brands],
            [box for box in found if box.brand in brands],
        )
        for true, found in pairs
    ]
    closed = [images[i] for i in np.flatnonzero(pictures.closed)]
    wanted = [np.ones(len(image.true), bool) for image in closed]
    return {
        "map50": mean_average_precision(closed)[0],
        "recall": box_recall(closed, wanted, above=_limit(images, pictures)),
    }


def _found(predictor: Predictor, pictures: Pictures, should_stop: ShouldStop) -> list[list[Box]]:
    batches = score({"detector": predictor}, Inputs(pictures.paths), should_stop=should_stop)
    return [boxes for batch in batches for boxes in batch["detector"].found_boxes]


def _limit(images: Sequence[ImageBoxes], pictures: Pictures) -> float:
    empty = [images[int(i)] for i in np.flatnonzero(pictures.empty)]
    return score_at_false_boxes(empty, per_image=FALSE_BOXES)


def at_scale(artifact: Artifact, scale: int, **config: float) -> BoxPredictor:
    """The detector at another size of input, on one thread: it is convolutional throughout."""
    changed = artifact.config | {"size": scale, "threads": 1} | config
    return BoxPredictor(replace(artifact, config=changed))


def megabytes(artifact: Artifact) -> float:
    """Of the weights file, float32."""
    return artifact.path(WEIGHTS).stat().st_size / 1e6


def milliseconds(
    nets: Sequence[tuple[Artifact, int]],
    paths: Sequence[Path],
    *,
    rounds: int,
    should_stop: ShouldStop,
) -> list[dict[str, float]]:
    """For each network and scale the median time of forward pass and suppression of one picture,
    by the clock and of the processor, taken in turns, so that what else the machine does meets all
    alike."""
    predictors = [(at_scale(artifact, scale), scale) for artifact, scale in nets]
    times: list[list[tuple[float, float]]] = [[] for _ in nets]
    # The first round warms up and is not counted.
    for turn in range(rounds + 1):
        picture = open_image(paths[turn % len(paths)])
        for (predictor, scale), mine in zip(predictors, times, strict=True):
            if should_stop():
                raise Cancelled
            square = letterbox(picture, scale)[None]
            began, spent = time.perf_counter(), time.process_time()
            predictor.predict_squares(square, [picture.size])
            mine.append((time.perf_counter() - began, time.process_time() - spent))
    medians = [
        [1000 * statistics.median(kind) for kind in zip(*mine[1:], strict=True)] for mine in times
    ]
    return [{"ms": clock, "processor_ms": processor} for clock, processor in medians]
