"""Does choosing pay? Campaigns of labelling on frozen embeddings with a linear head: our mix
against random draws and what others choose by, where positives are rare and where labels buy
negatives."""

import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import stdtrit

from ml.bench.labels.campaign import FLAG_RATIO, run_campaign, whole_pool
from ml.bench.labels.material import Labelled, Material, with_rare_positives
from ml.bench.labels.strategies import STRATEGIES
from ml.embed import embed
from ml.errors import InputError
from ml.manifest import Manifest, read_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

SIZES = {"brands": 24, "train": 3_600, "closed": 1_500, "open_": 8_000, "pool": 16_000}
QUICK = {"brands": 8, "train": 1_200, "closed": 640, "open_": 3_000, "pool": 4_000}
PICTURE, QUICK_PICTURE = 112, 96
EPOCHS, QUICK_EPOCHS = 24, 16
STEPS, BATCH, QUICK_BATCH = 25, 60, 24
LEVEL = 0.9  # of the quality of labelling the whole pool; and of the intervals
GIVEN_NEGATIVES = 50
# What is given of each brand, and how much of the pool shows one of them.
SETTINGS: dict[str, dict[str, float]] = {
    "rare": {"positives": 2, "share": 0.02},
    "negatives": {"positives": 60, "share": 0.01},
}


def run(
    *,
    quick: bool,
    seeds: int,
    progress: Progress,
    should_stop: ShouldStop,
    manifest: Path | None = None,
) -> dict[str, Any]:
    """For each setting `budget`, `whole_pool` (recall by seed), `pool` (its size by seed) and
    `strategies`: `{name: {"labels_to_90": [by seed, None: not within the budget], "curve":
    [[labels, recall, low, high], …]}}`; low and high are the mean's interval over the seeds.

    Args:
        manifest: labelled images, for the setting `products`; without it that is left out.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    bench = _Bench(quick=quick, should_stop=should_stop)
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            with part.part(0.0, 0.5) as drawn:
                materials = bench.generated(seed, Path(folder), drawn)
                if manifest is not None:
                    materials["products"] = bench.given(manifest, seed, Path(folder), drawn)
            for i, (name, material) in enumerate(materials.items()):
                step = 0.5 / len(materials)
                with part.part(0.5 + i * step, 0.5 + (i + 1) * step) as played:
                    found.setdefault(name, []).append(bench.play(material, seed, played))
    settings = {name: _summary(campaigns, bench.batch) for name, campaigns in found.items()}
    return settings | {
        "rows": _rows(settings),
        "flag_ratio": FLAG_RATIO,
        "settings": SETTINGS,
        "sizes": QUICK if quick else SIZES,
        "seeds": seeds,
    }


class _Bench:
    """Materials and their campaigns. No label of a pool has a part in its embeddings."""

    def __init__(self, *, quick: bool, should_stop: ShouldStop) -> None:
        self._quick, self._should_stop = quick, should_stop
        self.batch = QUICK_BATCH if quick else BATCH

    def generated(self, seed: int, folder: Path, progress: Progress) -> dict[str, Material]:
        """The settings `rare` and `negatives`, on one generated world. Embeddings are those of a
        classifier trained on its training rows, as a champion's are."""
        with progress.part(0.0, 0.4) as part:
            world = generate(
                **(QUICK if self._quick else SIZES), business=0,
                size=QUICK_PICTURE if self._quick else PICTURE,
                seed=seed, out=folder / "world", progress=part,
            )  # fmt: skip
        truth = read_manifest(folder / "world" / "truth")
        with progress.part(0.4, 1.0) as part:
            brands = _brands(world)
            looks = self._looks(
                world, brands=brands, embedded=[world, truth], seed=seed,
                folder=folder / "generated", progress=part,
            )  # fmt: skip
        pool = _labelled(truth.table, looks, brands)
        training, closed, open_ = (
            _labelled(world.rows(split), looks, brands) for split in ("train", "closed", "open")
        )
        rng = np.random.default_rng([seed, 2])
        materials = {}
        for name, setting in SETTINGS.items():
            given, _ = _shared_out(training, len(brands), int(setting["positives"]), rng)
            rare = with_rare_positives(pool, brands=len(brands), share=setting["share"], rng=rng)
            materials[name] = _material(given, rare, closed, open_, len(brands))
        return materials

    def given(self, manifest: Path, seed: int, folder: Path, progress: Progress) -> Material:
        """The setting `products`: what is not given of the training rows is the pool, as it is.
        The classifier whose embeddings are used learned every other brand; the campaign is about
        the rest."""
        data = read_manifest(manifest)
        brands = _brands(data)
        learned, new = brands[::2], brands[1::2]
        if not new:
            raise InputError(f"{data.path}: closed rows of two brands are needed")
        looks = self._looks(
            data, brands=learned, embedded=[data], seed=seed, folder=folder / "given",
            progress=progress,
        )  # fmt: skip
        training, closed, open_ = (
            _labelled(data.rows(*splits), looks, new)
            for splits in (("train", "val"), ("closed",), ("open",))
        )
        rng = np.random.default_rng([seed, 3])
        known, pool = _shared_out(training, len(new), int(SETTINGS["rare"]["positives"]), rng)
        return _material(known, pool, closed, open_, len(new))

    def play(self, material: Material, seed: int, progress: Progress) -> dict[str, Any]:
        """One campaign of each strategy."""
        curves = {}
        for i, (name, strategy) in enumerate(STRATEGIES.items()):
            progress.report(name, i / len(STRATEGIES))
            curves[name], _ = run_campaign(
                material, strategy, batch=self.batch, steps=STEPS, seed=seed,
                should_stop=self._should_stop,
            )  # fmt: skip
        return {"curves": curves, "whole_pool": whole_pool(material), "pool": len(material.pool)}

    def _looks(
        self,
        data: Manifest,
        *,
        brands: Sequence[str],
        embedded: Sequence[Manifest],
        seed: int,
        folder: Path,
        progress: Progress,
    ) -> dict[str, np.ndarray]:
        """The embedding of each image, by sha256, of a classifier of these brands."""
        epochs = QUICK_EPOCHS if self._quick else EPOCHS
        with progress.part(0.0, 0.7) as part:
            train(
                kind="classifier",
                manifest=data.path,
                out=folder / "classifier",
                config={"brands": list(brands), "epochs": epochs, "seed": seed},
                init=None,
                progress=part,
                should_stop=self._should_stop,
            )
        looks: dict[str, np.ndarray] = {}
        for i, one in enumerate(embedded):
            out = folder / f"looks-{i}.parquet"
            with progress.part(
                0.7 + 0.3 * i / len(embedded), 0.7 + 0.3 * (i + 1) / len(embedded)
            ) as part:
                embed(
                    model=folder / "classifier", manifest=one.path, out=out,
                    progress=part, should_stop=self._should_stop,
                )  # fmt: skip
            rows = pq.read_table(out).to_pylist()
            looks |= {
                row["sha256"]: np.array(row["embedding"], np.float32)
                for row in rows
                if row["embedding"] is not None
            }
        return looks


def _brands(data: Manifest) -> list[str]:
    return sorted(set(data.rows("closed")["brand"].to_pylist()) - {None})


def _material(
    given: Labelled, pool: Labelled, closed: Labelled, open_: Labelled, brands: int
) -> Material:
    return Material(
        brands=brands,
        given=given,
        pool=pool,
        closed=closed.only(closed.answers < brands),
        open_=open_.looks[open_.answers == brands],
    )


def _labelled(rows: pa.Table, looks: Mapping[str, np.ndarray], brands: Sequence[str]) -> Labelled:
    """Rows whose answer is known and whose image could be read; every other brand is none."""
    place = {brand: i for i, brand in enumerate(brands)}
    columns = (rows[name].to_pylist() for name in ("sha256", "answer", "brand"))
    known = [
        (looks[sha256], place.get(brand, len(brands)) if answer == "brand" else len(brands))
        for sha256, answer, brand in zip(*columns, strict=True)
        if answer != "unlabelled" and sha256 in looks
    ]
    return Labelled(
        np.stack([look for look, _ in known]), np.array([answer for _, answer in known])
    )


def _shared_out(
    training: Labelled, brands: int, positives: int, rng: np.random.Generator
) -> tuple[Labelled, Labelled]:
    """What is given: so many positives of each brand, weak as a source's are, and a few images
    that show none; and the rest."""
    rows = []
    for brand in range(brands + 1):
        mine = rng.permutation(np.flatnonzero(training.answers == brand))
        rows.append(mine[: positives if brand < brands else GIVEN_NEGATIVES])
    given = np.concatenate(rows)
    rest = np.setdiff1d(np.arange(len(training)), given)
    return training.only(given), training.only(rest)


def _summary(campaigns: Sequence[Mapping[str, Any]], batch: int) -> dict[str, Any]:
    strategies = {}
    for name in campaigns[0]["curves"]:
        curves = [campaign["curves"][name] for campaign in campaigns]
        strategies[name] = {
            "labels_to_90": [
                labels_to(campaign["curves"][name], LEVEL * campaign["whole_pool"])
                for campaign in campaigns
            ],
            "curve": [
                [points[0][0], *interval([recall for _, recall in points])]
                for points in zip(*curves, strict=True)
            ],
        }
    return {
        "budget": batch * STEPS,
        "whole_pool": [round(campaign["whole_pool"], 4) for campaign in campaigns],
        "pool": [campaign["pool"] for campaign in campaigns],
        "strategies": strategies,
    }


def labels_to(curve: Sequence[tuple[int, float]], recall: float) -> int | None:
    """Labels bought when the curve first reaches a recall; None where it never does."""
    return next((labels for labels, reached in curve if reached >= recall), None)


def interval(values: Sequence[float]) -> list[float]:
    """Mean, and its interval by Student's t; the mean alone thrice where there is one value."""
    mean, half = statistics.mean(values), 0.0
    if len(values) > 1:
        quantile = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2))
        half = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return [round(value, 4) for value in (mean, mean - half, mean + half)]


def _rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a terminal shows: one line a setting and strategy."""
    rows = []
    for setting, figures in result.items():
        for name, found in figures["strategies"].items():
            reached = [labels for labels in found["labels_to_90"] if labels is not None]
            rows.append(
                {
                    "setting": setting,
                    "strategy": name,
                    "labels to 90%": statistics.median(reached) if reached else None,
                    "reached": f"{len(reached)} of {len(found['labels_to_90'])}",
                    "recall at the end": found["curve"][-1][1],
                    "of the whole pool": round(statistics.mean(figures["whole_pool"]), 4),
                }
            )
    return rows
