"""The article's detector table on generated worlds: the YOLOv3 baseline, the new network by
Ultralytics' own recipe and by the article's, trained on the same images and shown equally many of
them; size, speed, precision and recall of small logos by training and test scale."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ml.artifact import Artifact, code_version, write_artifact
from ml.bench.detector_enrolment import enrolments
from ml.bench.detector_figures import (
    FALSE_BOXES,
    SMALLEST,
    Pictures,
    figures_of,
    megabytes,
    milliseconds,
)
from ml.bench.rows import means
from ml.manifest import Manifest
from ml.models.backbone import WEIGHTS, save_weights
from ml.models.base import ShouldStop, parse_config
from ml.models.device import choose_device
from ml.models.yolo.config import Config, filled
from ml.models.yolo.net import make_net, read_network
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

# The recipe's gains were chosen on the closed set of another world, seed 1.
FIRST_WORLD = 101
SIZES = {"brands": 8, "train": 1_800, "closed": 500, "open_": 800, "business": 300}
QUICK = {"brands": 4, "train": 600, "closed": 200, "open_": 240, "business": 80}


@dataclass(frozen=True)
class Contest:
    """What is compared on a device.

    Attributes:
        nets: configuration of each trained network by name; the device's preset fills the rest.
        full_size: of each that is too slow to train there, but has a size and a speed.
        steps, quick_steps: batches of training.
        test_scales: sides of the input in the test, pixels; the last is the pictures' own.
        rounds, quick_rounds: times each is timed.
    """

    nets: Mapping[str, dict[str, Any]]
    steps: int
    quick_steps: int
    test_scales: tuple[int, ...]
    full_size: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    rounds: int = 25
    quick_rounds: int = 5


_YOLOV3 = {"net": "yolov3", "width": 1.0, "depth": 1.0, "distances": 16, "size": 416}
_NEW = {"net": "csp", "width": 0.5, "depth": 0.33, "distances": 16, "size": 640}
CONTESTS = {
    "cpu": Contest(
        nets={
            "YOLOv3-tiny, plain recipe": {
                "net": "yolov3-tiny",
                "width": 0.5,
                "depth": 1.0,
                "learning_rate": 4e-3,
                "recipe": "plain",
            },
            "new net, plain recipe": {"recipe": "plain"},
            "new net, article's recipe": {"recipe": "article"},
        },
        full_size={"YOLOv3, full size, untrained": _YOLOV3, "new net, full size, untrained": _NEW},
        steps=1_500,
        quick_steps=300,
        test_scales=(128, 192),
    ),
    "cuda": Contest(
        nets={
            "YOLOv3, plain recipe": _YOLOV3 | {"recipe": "plain"},
            "new net, plain recipe": {"size": 512, "recipe": "plain"},
            "new net, article's recipe": {"size": 512, "recipe": "article"},
        },
        steps=6_000,
        quick_steps=800,
        test_scales=(416, 512),
        rounds=100,
        quick_rounds=50,
    ),
}


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`rows`: one for every network, test scale and seed, without precision where a network was
    not trained; `mean`: the same over the seeds; `enrolment`: brands left out of training, found by
    a few crops, against a detector trained with them."""
    device = choose_device().type
    contest = CONTESTS[device]
    rows: list[dict[str, Any]] = []
    enrolled: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            found, new = _measure(seed, contest, Path(folder), part, should_stop, quick=quick)
            rows += [row | {"seed": seed} for row in found]
            enrolled += [row | {"seed": seed} for row in new]
    return {
        "rows": rows,
        "mean": means(rows, ("name", "train_scale", "test_scale")),
        "enrolment": {"rows": enrolled, "mean": means(enrolled, ("name", "crops"))},
        "budget": {
            "steps": contest.quick_steps if quick else contest.steps,
            "batch_size": filled(Config(), device=device, init=None).batch_size,
        },
        "small": {"of_picture": SMALLEST, "false_boxes_an_image": FALSE_BOXES},
        "sizes": QUICK if quick else SIZES,
        "worlds": [FIRST_WORLD + i for i in range(seeds)],
        "device": device,
    }


def _measure(
    seed: int,
    contest: Contest,
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
    *,
    quick: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of one world: of the networks, and of the enrolments."""
    steps = contest.quick_steps if quick else contest.steps
    configs = {n: c | {"steps": steps, "seed": seed} for n, c in contest.nets.items()}
    with progress.part(0.0, 0.1) as part:
        world = generate(
            **(QUICK if quick else SIZES), pool=0, size=contest.test_scales[-1],
            seed=FIRST_WORLD + seed - 1, out=folder / "world", progress=part,
            should_stop=should_stop,
        )  # fmt: skip
    pictures = Pictures.of(world)
    rows, timed = [], []
    for i, (name, config) in enumerate(configs.items()):
        start, end = (0.1 + 0.5 * (i + k) / len(configs) for k in (0, 1))
        with progress.part(start, end) as part:
            artifact, seconds = _train(world, config, folder / f"net-{i}", part, should_stop)
        for scale in contest.test_scales:
            figures = figures_of(artifact, scale, pictures, should_stop)
            rows.append(_row(name, artifact, scale, figures | {"train_processor_s": seconds}))
            timed.append((artifact, scale))
    with progress.part(0.6, 0.9) as part:
        # The last network knows all brands: what the enrolments run against.
        new = enrolments(
            world, pictures, artifact, config, folder, progress=part, should_stop=should_stop
        )
    for i, (name, config) in enumerate(contest.full_size.items()):
        artifact = untrained(config, world, folder / f"full-size-{i}")
        rows.append(_row(name, artifact, artifact.config["size"], {}))
        timed.append((artifact, artifact.config["size"]))
    progress.report("time", 0.9)
    rounds = contest.quick_rounds if quick else contest.rounds
    times = milliseconds(timed, pictures.paths, rounds=rounds, should_stop=should_stop)
    return [row | took for row, took in zip(rows, times, strict=True)], new


def _train(
    world: Manifest,
    config: Mapping[str, Any],
    out: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> tuple[Artifact, float]:
    """A trained network, and the seconds of the processor it took."""
    began = time.process_time()
    artifact = train(
        kind="detector", manifest=world.path, out=out, config=config, init=None,
        progress=progress, should_stop=should_stop,
    )  # fmt: skip
    return artifact, time.process_time() - began


def _row(
    name: str, artifact: Artifact, scale: int, figures: Mapping[str, float | None]
) -> dict[str, Any]:
    trained = bool(figures)
    measured = ("map50", "map50_95", "small_recall", "train_processor_s")
    return {
        "name": name,
        "train_scale": artifact.config["size"] if trained else None,
        "test_scale": scale,
        "mb": megabytes(artifact),
    } | {key: figures.get(key) for key in measured}


def untrained(config: Mapping[str, Any], world: Manifest, out: Path) -> Artifact:
    """A network with random weights, stored as a trained one is, whose size and time it has."""
    full = filled(parse_config(Config, config), device=choose_device().type, init=None)
    labels = sorted(set(world.rows("train")["brand"].drop_null().to_pylist()))
    torch.manual_seed(0)
    network = read_network(full)
    out.mkdir()
    save_weights(make_net(network, len(labels), size=full.size or 0), out)
    return write_artifact(
        Artifact(
            kind="detector", labels=labels, config=asdict(full) | {"network": network},
            manifest_sha256=world.sha256, code_version=code_version(), files={WEIGHTS: ""},
        ),
        out,
    )  # fmt: skip
