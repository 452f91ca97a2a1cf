"""The article's table of what models find alone, in pairs and all together, on generated worlds:
by one common threshold and by one a brand, by noisy-or and by the fitted fusion; what each finds
that another misses; and whether the risk of what all together find is told."""

import tempfile
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.artifact import Artifact, read_artifact
from ml.bench.rows import means
from ml.evaluate.recall import common_threshold, flagged, hits, mean_recall, recall_by_brand
from ml.evaluate.risks import Prices, attack_figures, risk_figures, usual_prices
from ml.evaluate.run import TEST_SPLITS
from ml.evaluate.scored import fitting_half
from ml.manifest import Manifest
from ml.models.base import ShouldStop
from ml.models.fusion.choice import fit, probabilities
from ml.models.fusion.material import Material, fitting_rows, gather
from ml.models.fusion.scores import noisy_or
from ml.models.fusion.training import Config, choose_penalty, thresholds_of
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

FLAG_RATIO = 0.01
HOLDOUT = 0.2
SIZES = {
    "brands": 24,
    "train": 3_600,
    "closed": 1_200,
    "open_": 8_000,
    "business": 600,
    "audit": 600,
}
QUICK = {"brands": 8, "train": 900, "closed": 300, "open_": 2_000, "business": 200, "audit": 200}
MODELS: dict[str, dict[str, Any]] = {
    "classifier": {"epochs": 24},
    "detector": {"steps": 1_500},
    "variation": {},
    "text": {},
}
QUICK_MODELS: dict[str, dict[str, Any]] = {
    "classifier": {"epochs": 12},
    "detector": {"steps": 400},
    "variation": {"epochs": 4},
    "text": {},
}
SETS = (
    ("classifier",),
    ("detector",),
    ("text",),
    ("classifier", "detector"),
    ("classifier", "text"),
    ("detector", "text"),
    ("classifier", "detector", "text"),
    ("classifier", "detector", "text", "variation"),
)


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`rows`: one for every set of models, way and seed; `mean`: the same over the seeds;
    `complementarity`: of each model's hits the share that another misses; `risks`, a seed: of
    what is found by all models with a threshold a brand (`ml.evaluate.risks`)."""
    rows: list[dict[str, Any]] = []
    complements: list[dict[str, Any]] = []
    risks: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            fitted, tested, world = _models_and_scores(
                seed, Path(folder), part, should_stop, quick=quick
            )
            table = world.rows(*TEST_SPLITS)
            usual = usual_prices(world.rows("train"))
            risks.append({"seed": seed} | _risks(fitted, tested, table, usual))
            rows += [row | {"seed": seed} for row in _rows(fitted, tested, table)]
            complements += [c | {"seed": seed} for c in _complements(fitted, tested, table)]
    return {
        "rows": rows,
        "mean": means(rows, ("name", "way")),
        "complementarity": means(complements, ("found_by", "missed_by")),
        "risks": risks,
        "flag_ratio": FLAG_RATIO,
        "sizes": QUICK if quick else SIZES,
    }


def _models_and_scores(
    seed: int, folder: Path, progress: Progress, should_stop: ShouldStop, *, quick: bool
) -> tuple[Material, Material, Manifest]:
    with progress.part(0.0, 0.8) as part:
        world, artifacts = trained_models(seed, folder, part, should_stop, quick=quick)
    with progress.part(0.8, 1.0) as part:
        table = world.rows(*TEST_SPLITS)
        fitted, tested = (
            gather(artifacts, world, rows, progress=part, should_stop=should_stop)
            for rows in (fitting_rows(world, holdout=HOLDOUT), table)
        )
    return fitted, tested, world


def trained_models(
    seed: int, folder: Path, progress: Progress, should_stop: ShouldStop, *, quick: bool
) -> tuple[Manifest, list[Artifact]]:
    """A generated world in `folder`, and a model of each kind trained on it."""
    sizes, configs = (QUICK, QUICK_MODELS) if quick else (SIZES, MODELS)
    with progress.part(0.0, 0.12) as part:
        world = generate(
            **sizes, pool=0, size=112, seed=seed, out=folder / "world", progress=part,
            should_stop=should_stop,
        )  # fmt: skip
    artifacts: list[Artifact] = []
    for i, (kind, config) in enumerate(configs.items()):
        with progress.part(0.12 + 0.22 * i, 0.34 + 0.22 * i) as part:
            train(
                kind=kind,
                manifest=world.path,
                out=folder / kind,
                config=config | {"seed": seed, "holdout": HOLDOUT},
                init=None,
                progress=part,
                should_stop=should_stop,
            )
        artifacts.append(read_artifact(folder / kind))
    return world, artifacts


def _rows(fitted: Material, tested: Material, table: pa.Table) -> list[dict[str, Any]]:
    rows = []
    for kinds in SETS:
        for way, (fit_scores, scores) in _scores(fitted, tested, kinds).items():
            common = common_threshold(fit_scores[fitted.is_open], FLAG_RATIO)
            limits = {way: np.full(scores.shape[1], common)}
            if way == "fitted":
                own = thresholds_of(fitted, fit_scores, flag_ratio=FLAG_RATIO)
                limits["fitted, a threshold a brand"] = own
            for name, limit in limits.items():
                rows.append(
                    {"name": " + ".join(kinds), "way": name}
                    | _figures(scores, limit, tested.chosen, table)
                )
    return rows


def _scores(
    fitted: Material, tested: Material, kinds: Sequence[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By way, the scores [n, k] of the fitting and of the test rows."""
    before, after = fitted.parts.only(kinds), tested.parts.only(kinds)
    penalty = choose_penalty(fitted, list(kinds))
    weights = fit(before, fitted.chosen, prevalence=Config().prevalence, penalty=penalty)
    ways = {
        "fitted": (
            probabilities(before, weights)[:, :-1],
            probabilities(after, weights)[:, :-1],
        )
    }
    if "variation" not in kinds:
        name = "noisy-or" if len(kinds) > 1 else "as it is"
        ways[name] = (noisy_or(before), noisy_or(after))
    return ways


def _figures(
    scores: np.ndarray, limits: np.ndarray, brands: np.ndarray, table: pa.Table
) -> dict[str, float]:
    split = np.array(table["split"].to_pylist())
    found = hits(scores, brands, limits)
    logo = np.array(table["has_logo"].to_pylist(), dtype=object)
    shown = (split == "business") & (brands >= 0)
    measured = _measured(table)
    return {
        "closed_mean_recall": _recall(found, brands, split),
        "flag_ratio": float(flagged(scores, limits)[measured].mean()),
        "business_logo": float(found[shown & (logo == True)].mean()),  # noqa: E712 — an object array
        "business_no_logo": float(found[shown & (logo == False)].mean()),  # noqa: E712
    }


def _recall(found: np.ndarray, brands: np.ndarray, split: np.ndarray) -> float:
    closed = (split == "closed") & (brands >= 0)
    return mean_recall(recall_by_brand(found[closed], brands[closed].astype(str)))


def _measured(table: pa.Table) -> np.ndarray:
    """bool [n]: the open rows that nothing was fitted on."""
    opened = np.array(table["split"].to_pylist()) == "open"
    opened[np.flatnonzero(opened)[fitting_half(table.filter(pa.array(opened)))]] = False
    return opened


def _risks(fitted: Material, tested: Material, table: pa.Table, usual: Prices) -> dict[str, Any]:
    before, after = _scores(fitted, tested, SETS[-1])["fitted"]
    limits = thresholds_of(fitted, before, flag_ratio=FLAG_RATIO)
    found = hits(after, tested.chosen, limits)
    return risk_figures(table, found, tested.attacks, usual) | attack_figures(table, tested.attacks)


def _complements(fitted: Material, tested: Material, table: pa.Table) -> list[dict[str, Any]]:
    """Of the closed rows that one model finds at the flag ratio, the share another misses."""
    closed = (np.array(table["split"].to_pylist()) == "closed") & (tested.chosen >= 0)
    found = {}
    for (kind,) in (kinds for kinds in SETS if len(kinds) == 1):
        limit = common_threshold(fitted.parts.of[kind][fitted.is_open], FLAG_RATIO)
        scores = tested.parts.of[kind]
        found[kind] = hits(scores, tested.chosen, np.full(scores.shape[1], limit))[closed]
    return [
        {"found_by": one, "missed_by": other, "share": float((~found[other][found[one]]).mean())}
        for one, other in permutations(found, 2)
        if found[one].any()
    ]
