"""The classifier: what mix-up buys, what growing by new brands costs the old ones, what the number
and the hard share of negatives do, and whether 212 brands cost more than 10."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.artifact import Artifact
from ml.bench.rows import means
from ml.errors import Cancelled
from ml.evaluate.run import evaluate
from ml.models.backbone import make_net
from ml.models.base import ShouldStop
from ml.models.classifier import PRESETS, Config
from ml.models.config import with_preset
from ml.models.net_predictor import forward
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

FLAG_RATIO = 0.01
BRANDS = (10, 212)
COST_ROUNDS = 30
SIZES = {"brands": 16, "train": 3_000, "closed": 1_200, "open_": 6_000}
QUICK = {"brands": 8, "train": 1_000, "closed": 400, "open_": 2_000}
EPOCHS = {"epochs": 24, "warm_epochs": 10}
QUICK_EPOCHS = {"epochs": 12, "warm_epochs": 5}
VARIANTS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "mix-up 0.2": {"mixup": 0.2},
    "mix-up 1": {"mixup": 1.0},
    "20 negatives a brand, none hard": {"negatives_per_brand": 20.0, "hard_share": 0.0},
    "20 negatives a brand, all hard": {"negatives_per_brand": 20.0, "hard_share": 1.0},
    "5 negatives a brand, half hard": {"negatives_per_brand": 5.0, "hard_share": 0.5},
}


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`rows`: variant and seed; `growth`: old and new brands' recall before and after half of the
    brands are added, and of a training on all of them; `cost`: 212 brands' time over 10 brands'."""
    rows: list[dict[str, Any]] = []
    growth: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            bench = _Bench(Path(folder), seed, quick=quick, progress=part, should_stop=should_stop)
            models = {name: bench.train(config) for name, config in VARIANTS.items()}
            rows += [bench.row(name, model) for name, model in models.items()]
            growth += bench.growth(models["as it comes"])
    return {
        "rows": rows,
        "mean": means(rows, ("name",)),
        "growth": growth,
        "growth_mean": means(growth, ("name",)),
        "cost": cost(should_stop),
        "flag_ratio": FLAG_RATIO,
        "sizes": QUICK if quick else SIZES,
    }


class _Bench:
    """Trainings on one world."""

    def __init__(
        self, folder: Path, seed: int, *, quick: bool, progress: Progress, should_stop: ShouldStop
    ) -> None:
        self._folder, self._seed, self._should_stop = folder, seed, should_stop
        self._progress, self._done = progress, 0
        self._epochs = QUICK_EPOCHS if quick else EPOCHS
        sizes = QUICK if quick else SIZES
        with progress.part(0.0, 0.1) as part:
            self._world = generate(
                **sizes, business=0, pool=0, size=112, seed=seed, out=folder / "world",
                progress=part, should_stop=should_stop,
            )  # fmt: skip

    def row(self, name: str, model: Artifact) -> dict[str, Any]:
        report = self._report(model)
        return {
            "name": name,
            "closed_mean_recall": report["closed"]["mean_recall"],
            "flag_ratio": report["open"]["flag_ratio"],
            "calibration_error": report["calibration"]["closed"]["ece"],
            "seed": self._seed,
        }

    def growth(self, whole: Artifact) -> list[dict[str, Any]]:
        """Every other brand; the same grown to all; and `whole`, all from random weights."""
        brands = sorted(set(self._world.rows("closed")["brand"].to_pylist()) - {None})
        old, new = brands[::2], brands[1::2]
        before = self.train({"brands": old})
        models = {
            "half of the brands": before,
            "grown to all of them": self.train({}, init=before),
            "all from random weights": whole,
        }
        rows = []
        for name, artifact in models.items():
            recall = self._report(artifact)["closed"]["per_brand"]
            rows.append(
                {
                    "name": name,
                    "old_brands": _mean(recall, old),
                    "new_brands": _mean(recall, new),
                    "steps": artifact.metrics["steps"],
                    "seed": self._seed,
                }
            )
        return rows

    def train(self, config: dict[str, Any], *, init: Artifact | None = None) -> Artifact:
        trainings = len(VARIANTS) + 2
        start = 0.1 + 0.9 * self._done / trainings
        self._done += 1
        with self._progress.part(start, start + 0.9 / trainings) as part:
            return train(
                kind="classifier",
                manifest=self._world.path,
                out=self._folder / f"model-{self._done}",
                config=self._epochs | {"seed": self._seed} | config,
                init=init.directory if init else None,
                progress=part,
                should_stop=self._should_stop,
            )

    def _report(self, artifact: Artifact) -> dict[str, Any]:
        assert artifact.directory is not None  # noqa: S101 — it was just written there
        return evaluate(
            models=[artifact.directory],
            manifest=self._world.path,
            flag_ratio=FLAG_RATIO,
            progress=Progress(quiet=True),
            should_stop=self._should_stop,
        )


def cost(should_stop: ShouldStop) -> dict[str, Any]:
    """Time of one image by a network of 212 brands over that of one of 10: `ratio` is the median
    of rounds in which the two take turns, so that what else the machine does hits both alike."""
    config = with_preset(Config(), PRESETS["cpu"])
    nets = {count: make_net(config, count + 1).eval() for count in BRANDS}
    images = np.zeros((64, config.size or 0, config.size or 0, 3), np.uint8)
    device = torch.device("cpu")
    seconds: dict[int, list[float]] = {count: [] for count in BRANDS}
    for _ in range(COST_ROUNDS + 1):
        if should_stop():
            raise Cancelled
        for count, net in nets.items():
            started = time.perf_counter()
            forward(net, images, device)
            seconds[count].append(time.perf_counter() - started)
    few, many = (seconds[count][1:] for count in BRANDS)  # the first warms up
    ratios = [b / a for a, b in zip(few, many, strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 4),
        "ms_an_image": {
            str(count): round(statistics.median(times[1:]) / len(images) * 1000, 3)
            for count, times in seconds.items()
        },
    }


def _mean(recall: dict[str, Any], brands: Sequence[str]) -> float:
    return statistics.mean(recall[brand]["recall"] for brand in brands)
