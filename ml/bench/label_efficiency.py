"""Does choosing pay? Campaigns of labelling on frozen embeddings with a linear head: our mix
against random draws and what others choose by, where positives are rare and where labels buy
negatives. At the end, as a check, networks are trained on what the mix and the random draws bought.

A seed is a world, and of each world several campaigns are played: what is given and what the pool
holds is drawn anew for each, and weighs as much as who chooses."""

import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from ml.bench.labels.campaign import FLAG_RATIO, growing, run_campaign, whole_pool
from ml.bench.labels.material import Material
from ml.bench.labels.retraining import retrained_recall
from ml.bench.labels.strategies import STRATEGIES
from ml.bench.labels.worlds import GENERATED, SETTINGS, Size, World, drawn, generated, given
from ml.bench.seeds import Kept, of_each_seed
from ml.manifest import read_manifest
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
STEPS = 27  # of which the first buys so many labels, and each a tenth more than the last
FIRST, QUICK_FIRST = 20, 8
DRAWS = 4  # campaigns a seed
LEVEL = 0.9  # of the quality of labelling the whole pool; and of the intervals
RETRAINED = ("mix", "random")


def run(
    *,
    quick: bool,
    seeds: int,
    progress: Progress,
    should_stop: ShouldStop,
    manifest: Path | None = None,
    keep: Path | None = None,
) -> dict[str, Any]:
    """For each setting `budget`, `whole_pool` (recall by campaign), `pool` (its size) and
    `strategies`: `{name: {"labels_to_90": [by campaign, None: not within the budget], "curve":
    [[labels, recall, low, high], …]}}`; low and high are the mean's interval. The `DRAWS`
    campaigns of a seed follow each other. Of `RETRAINED` on generated worlds also `retrained`:
    recalls, of each seed's first campaign, of networks trained on all that was bought. (Of few
    photographs, networks of minutes learn nothing that could be compared.)

    Args:
        manifest: labelled images, for the setting `products`; without it that is left out.
        keep: a folder for what each seed found: it is not played again.
    """
    size = QUICK if quick else SIZE
    products = None if manifest is None else read_manifest(manifest).sha256
    batches = growing(QUICK_FIRST if quick else FIRST, STEPS)
    # Products of one's own are as many in a quick run.
    batched = {**dict.fromkeys(GENERATED, batches), "products": growing(FIRST, STEPS)}
    played = of_each_seed(
        partial(_of_seed, size=size, batched=batched, draws=DRAWS, manifest=manifest),
        range(1, seeds + 1),
        progress=progress,
        should_stop=should_stop,
        kept=Kept(keep, {"quick": quick, "products": products}) if keep else None,
    )
    settings = {
        name: _summary(
            [campaign for campaigns in played for campaign in campaigns[name]], batched[name]
        )
        for name in played[0]
    }
    return settings | {
        "rows": _rows(settings),
        "flag_ratio": FLAG_RATIO,
        "settings": SETTINGS,
        "sizes": size.world,
        "seeds": seeds,
        "draws": DRAWS,
    }


def _of_seed(
    seed: int,
    *,
    size: Size,
    batched: Mapping[str, Sequence[int]],
    draws: int,
    manifest: Path | None,
    should_stop: ShouldStop,
) -> dict[str, list[dict[str, Any]]]:
    """By setting, `draws` campaigns of each strategy."""
    quiet = Progress(quiet=True)
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        world = generated(seed, size, Path(folder), progress=quiet, should_stop=should_stop)
        worlds: dict[str, World] = dict.fromkeys(GENERATED, world)
        if manifest is not None:
            worlds["products"] = given(
                manifest, seed, size, Path(folder), progress=quiet, should_stop=should_stop
            )
        return {
            name: [
                _play(
                    drawn(world, name, np.random.default_rng([seed, draw])), batched[name],
                    config=None if draw or name not in GENERATED else {**size.config, "seed": seed},
                    seed=draw, should_stop=should_stop,
                )
                for draw in range(draws)
            ]
            for name, world in worlds.items()
        }  # fmt: skip


def _play(
    material: Material,
    batches: Sequence[int],
    *,
    config: Mapping[str, Any] | None,
    seed: int,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """
    Args:
        config: of the networks trained at the end; None: there are none.
    """
    curves, retrained = {}, {}
    for name, strategy in STRATEGIES.items():
        curves[name], bought = run_campaign(
            material, strategy, batches=batches, seed=seed, should_stop=should_stop
        )
        if name in RETRAINED and config is not None:
            retrained[name] = retrained_recall(
                material, bought, config=config, should_stop=should_stop
            )
    return {
        "curves": curves,
        "retrained": retrained,
        "whole_pool": whole_pool(material),
        "pool": len(material.pool),
    }


def _summary(campaigns: Sequence[Mapping[str, Any]], batches: Sequence[int]) -> dict[str, Any]:
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
        if name in campaigns[0]["retrained"]:
            strategies[name]["retrained"] = [
                round(campaign["retrained"][name], 4)
                for campaign in campaigns
                if campaign["retrained"]
            ]
    return {
        "budget": sum(batches),
        "whole_pool": [round(campaign["whole_pool"], 4) for campaign in campaigns],
        "pool": [campaign["pool"] for campaign in campaigns],
        "strategies": strategies,
    }


def labels_to(curve: Sequence[tuple[int, float]], recall: float) -> int | None:
    """Labels bought when the curve first reaches a recall; None where it never does."""
    return next((labels for labels, reached in curve if reached >= recall), None)


def median_labels(labels: Sequence[int | None]) -> float | None:
    """Of campaigns, those that never reached it among them; None: most of them did not."""
    median = statistics.median(math.inf if one is None else one for one in labels)
    return None if math.isinf(median) else median


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
                    "labels to 90%": median_labels(found["labels_to_90"]),
                    "reached": f"{len(reached)} of {len(found['labels_to_90'])}",
                    "recall at the end": found["curve"][-1][1],
                    "of the whole pool": round(statistics.mean(figures["whole_pool"]), 4),
                    "retrained": _mean(found.get("retrained", [])),
                }
            )
    return rows


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.mean(values), 4) if values else None
