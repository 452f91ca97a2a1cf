"""Training of the fusion: weights for every set of models that can have a say, and a threshold a
brand."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ml.artifact import Artifact, code_version, identity, read_artifact, write_artifact
from ml.errors import InputError
from ml.evaluate.operating_points import Brands, brand_thresholds
from ml.evaluate.recall import hits
from ml.manifest import Manifest
from ml.models.base import ShouldStop
from ml.models.brand_rows import BACKGROUND
from ml.models.fusion.cascade import fit_floor, margins
from ml.models.fusion.choice import Weights, fit, surprise
from ml.models.fusion.material import (
    Material,
    fitting_rows,
    gather,
    held_out_by_all,
    needs_held_out,
)
from ml.models.fusion.predictor import WEIGHTS, Fusion, combinations_of, write_weights
from ml.models.fusion.scores import BRAND_MODELS
from ml.progress import Progress

KIND = "fusion"
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
FOLDS = 5


@dataclass(frozen=True)
class Config:
    """
    Attributes:
        models: folders of the models to fuse, one of each kind; at least one knows brands.
        flag_ratio: share of what is online that the thresholds may flag.
        prevalence: share of what is online that shows a listed brand.
        penalty: of squared weights; when not given, that of `PENALTIES` which predicts rows best
            that were left out.
    """

    models: tuple[str, ...] = ()
    flag_ratio: float = 0.01
    prevalence: float = 0.01
    penalty: float | None = None


def train(
    *,
    config: Config,
    manifest: Manifest,
    out: Path,
    init: Artifact | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> Artifact:
    """See `ml.models.base`; it takes as long as the models take to score the rows, and begins
    anew when it was stopped.

    Raises:
        InputError: no model of brands is given, or there are too few rows to fit on.
    """
    if not 0 < config.flag_ratio < 1 or not 0 < config.prevalence < 1:
        raise InputError("config: flag_ratio and prevalence must be between 0 and 1")
    artifacts = [read_artifact(folder) for folder in config.models]
    if not {artifact.kind for artifact in artifacts} & set(BRAND_MODELS):
        raise InputError(f"a fusion needs one model at least of: {', '.join(BRAND_MODELS)}")
    holdout = held_out_by_all(artifacts)
    rows = fitting_rows(manifest, holdout=holdout)
    with progress.part(0.0, 0.9) as part:
        material = gather(artifacts, manifest, rows, progress=part, should_stop=should_stop)
    brands = material.parts.brands
    kinds = [artifact.kind for artifact in artifacts]
    penalty = config.penalty or choose_penalty(material, kinds)
    weights = fit_all(material, kinds, prevalence=config.prevalence, penalty=penalty)
    out.mkdir(parents=True, exist_ok=True)
    write_weights(out / WEIGHTS, weights)
    draft = Artifact(
        kind=KIND,
        labels=[*brands, BACKGROUND],
        config=vars(config),
        manifest_sha256=manifest.sha256,
        code_version=code_version(),
        metrics={
            "rows": len(rows),
            "brand_rows": int((material.chosen >= 0).sum()),
            "penalty": penalty,
            # The share of the training groups that it was fitted on, beside `val`.
            "held_out": holdout if needs_held_out(manifest) else 0.0,
        },
        calibration={
            "models": {a.kind: identity(a) for a in artifacts},
            "features": {key: found.names for key, found in weights.items()},
            "thresholds": {},
        },
        files={WEIGHTS: ""},
        directory=out,
    )
    fused = Fusion(draft).probabilities(material.parts)[:, :-1]
    limits = thresholds_of(material, fused, flag_ratio=config.flag_ratio)
    draft.calibration["thresholds"] = dict(zip(brands, limits.tolist(), strict=True))
    if {"detector"} < set(kinds):
        draft.calibration["cascade_floor"] = cascade_floor(Fusion(draft), material, fused, limits)
    progress.report("done", 1.0, **draft.metrics)
    return write_artifact(draft, out)


def cascade_floor(
    fusion: Fusion, material: Material, fused: np.ndarray, limits: np.ndarray
) -> float:
    """See `fit_floor`; `fused` [n, k] are the scores of all models together."""
    branded = np.flatnonzero(material.chosen >= 0)
    others = material.parts.only([*set(material.parts.of) - {"detector"}, "variation"])
    margin = margins(fusion.probabilities(others)[:, :-1], limits)
    hit = hits(fused, material.chosen, limits)
    return fit_floor(margin[branded], material.chosen[branded], hit[branded])


def fit_all(
    material: Material, kinds: list[str], *, prevalence: float, penalty: float
) -> dict[str, Weights]:
    """The weights of every set of these models, by their names joined by "+", on the rows that all
    of the set say something of; a set that never has a say is left out."""
    weights = {}
    for chosen in combinations_of(kinds):
        own = heard(material, chosen)
        if (own.chosen >= 0).any() and (own.chosen < 0).any():
            weights["+".join(chosen)] = fit(
                own.parts, own.chosen, prevalence=prevalence, penalty=penalty
            )
    return weights


def choose_penalty(material: Material, kinds: list[str]) -> float:
    """By cross-validation of the largest set of models, near-duplicates left out together."""
    own = heard(material, combinations_of(kinds)[-1])
    fold = np.array([zlib.crc32(str(group).encode()) % FOLDS for group in own.group])
    losses = dict.fromkeys(PENALTIES, 0.0)
    for left_out in range(FOLDS):
        rest, test = (own.take(np.flatnonzero(m)) for m in (fold != left_out, fold == left_out))
        if not all(0 < (part.chosen >= 0).sum() < len(part.chosen) for part in (rest, test)):
            continue  # too few rows to say anything
        for penalty in PENALTIES:
            weights = fit(rest.parts, rest.chosen, prevalence=0.5, penalty=penalty)
            losses[penalty] += surprise(test.parts, test.chosen, weights)
    return min(reversed(PENALTIES), key=losses.__getitem__)


def heard(material: Material, kinds: list[str]) -> Material:
    """The rows that all of these models say something of, and what they say."""
    parts = material.parts.only(kinds)
    there = np.ones(len(parts), bool)
    for scores in parts.of.values():
        there &= ~np.isnan(scores).any(axis=1)
    if "variation" in kinds:
        there &= ~np.isnan(parts.arranged)
    return replace(material, parts=parts).take(np.flatnonzero(there))


def thresholds_of(material: Material, fused: np.ndarray, *, flag_ratio: float) -> np.ndarray:
    """[k] thresholds for fused scores [n, k]: recall is counted on the rows with a brand, whatever
    their split, and flags on the open ones."""
    branded = material.chosen >= 0
    data = Brands(fused[branded], material.chosen[branded], fused[material.is_open])
    return brand_thresholds(data, flag_ratio=flag_ratio)
