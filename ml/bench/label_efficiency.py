"""Does choosing pay? Campaigns of labelling on frozen embeddings with a linear head: our mix
against random draws and what others choose by, where positives are rare and where labels buy
negatives. At the end, as a check, a network is trained on what the mix and the random draws
bought."""

import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scipy.special import stdtrit

from ml.bench.labels.campaign import FLAG_RATIO, run_campaign, whole_pool
from ml.bench.labels.material import Material
from ml.bench.labels.retraining import retrained_recall
from ml.bench.labels.strategies import STRATEGIES
from ml.bench.labels.worlds import SETTINGS, Size, generated, given
from ml.bench.seeds import of_each_seed
from ml.models.base import ShouldStop
from ml.progress import Progress

SIZE = Size(
    world={"brands": 24, "train": 3_600, "closed": 1_500, "open_": 8_000, "pool": 16_000},
    picture=112,
    config={"epochs": 24},
)
QUICK = Size(
    world={"brands": 8, "train": 1_200, "closed": 640, "open_": 3_000, "pool": 4_000},
    picture=96,
    config={"epochs": 16},
)
STEPS, BATCH, QUICK_BATCH = 25, 60, 24
LEVEL = 0.9  # of the quality of labelling the whole pool; and of the intervals
RETRAINED = ("mix", "random")


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
    [[labels, recall, low, high], …]}}`; low and high are the mean's interval over the seeds. Of
    `RETRAINED` also `retrained`: recalls by seed of networks trained on all that was bought.

    Args:
        manifest: labelled images, for the setting `products`; without it that is left out.
    """
    size, batch = _sizes(quick)
    played = of_each_seed(
        partial(_of_seed, size=size, batch=batch, steps=STEPS, manifest=manifest),
        range(1, seeds + 1),
        progress=progress,
        should_stop=should_stop,
    )
    found = {name: [campaigns[name] for campaigns in played] for name in played[0]}
    settings = {name: _summary(campaigns, batch) for name, campaigns in found.items()}
    return settings | {
        "rows": _rows(settings),
        "flag_ratio": FLAG_RATIO,
        "settings": SETTINGS,
        "sizes": size.world,
        "seeds": seeds,
    }


def _sizes(quick: bool) -> tuple[Size, int]:
    """Of the world, and of a batch."""
    return (QUICK, QUICK_BATCH) if quick else (SIZE, BATCH)


def _of_seed(
    seed: int,
    *,
    size: Size,
    batch: int,
    steps: int,
    manifest: Path | None,
    should_stop: ShouldStop,
) -> dict[str, dict[str, Any]]:
    """By setting, one campaign of each strategy."""
    quiet = Progress(quiet=True)
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        materials = generated(seed, size, Path(folder), progress=quiet, should_stop=should_stop)
        if manifest is not None:
            materials["products"] = given(
                manifest, seed, size, Path(folder), progress=quiet, should_stop=should_stop
            )
        config = {**size.config, "seed": seed}
        return {
            name: _play(
                material, config, batch=batch, steps=steps, seed=seed, should_stop=should_stop
            )
            for name, material in materials.items()
        }


def _play(
    material: Material,
    config: Mapping[str, Any],
    *,
    batch: int,
    steps: int,
    seed: int,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    curves, retrained = {}, {}
    for name, strategy in STRATEGIES.items():
        curves[name], bought = run_campaign(
            material, strategy, batch=batch, steps=steps, seed=seed, should_stop=should_stop
        )
        if name in RETRAINED:
            retrained[name] = retrained_recall(
                material, bought, config=config, should_stop=should_stop
            )
    return {
        "curves": curves,
        "retrained": retrained,
        "whole_pool": whole_pool(material),
        "pool": len(material.pool),
    }


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
        if name in RETRAINED:
            strategies[name]["retrained"] = [
                round(campaign["retrained"][name], 4) for campaign in campaigns
            ]
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
                    "retrained": _mean(found.get("retrained", [])),
                }
            )
    return rows


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.mean(values), 4) if values else None
