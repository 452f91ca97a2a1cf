"""A release and the champion on the same fresh images: what each flags, where they differ, and how
far their scores have moved apart.

A model is judged by itself, so a release may be promoted in part, with the champion's others. The
flags compared are those of what would be promoted: of each model that is new, the release's; of the
others, the champion's.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.conf import settings
from django.core.cache import cache

from active_learning.flags import hits
from active_learning.fresh import Rows, add_rows
from active_learning.models import ModelKind, Scan, Shadow
from active_learning.scans import batches
from ml.drift import Drift, score_shift, stability_index
from ml.evaluate.compare import difference
from ml.evaluate.intervals import share_of

ALONE = (ModelKind.CLASSIFIER.value, ModelKind.DETECTOR.value)
FUSION = ModelKind.FUSION.value
FLAGGING = (*ALONE, FUSION)
SIDES = ("challenger_only", "champion_only")
SECONDS = 24 * 3600
MOST = 5_000  # images listed of each side

Flags = Mapping[str, tuple[str, float]]  # by sha256, the brand flagged and its score


@dataclass
class _Side:
    """A scan: its images in order, and by model what it flags and its best scores."""

    shas: list[str] = field(default_factory=list)
    flags: dict[str, dict[str, tuple[str, float]]] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)


def measure(*, shadow: Shadow, models: Collection[str]) -> dict[str, Any]:
    """Compare the two scans of a shadow.

    Args:
        models: of the release that would be promoted.

    Returns:
        `n`, `groups`: images, and groups of near-duplicates; `models`. Unless there is no image:
        `champion`, `challenger`: flag ratios, `agreement`: share of the images of which both say
        the same (the same brand, or nothing), each `{"value", "low", "high", "n"}`; `difference` as
        of `ml.evaluate.compare.difference`; `only`: images that one alone flags, `{side: count}`;
        `drift`: `{model: {"stability", "shift"}}` of the challenger's best scores against the
        champion's, each `{"value", "limit", "n"}`, or null of too few images.

    Raises:
        JobError, OSError: a scan's shards cannot be read.
    """
    report: dict[str, Any] = {"n": 0, "groups": 0, "models": sorted(models)}
    if shadow.own_scan is None or shadow.champions_scan is None:
        return report
    own, champions = _read(shadow.own_scan), _read(shadow.champions_scan)
    groups = np.array(champions.rows.groups, str)
    theirs = _theirs(shadow, champions)
    ours = _together(own, champions, models)
    a, b = (np.array([sha in side for sha in champions.shas], bool) for side in (theirs, ours))
    same = np.array([_brand(ours, sha) == _brand(theirs, sha) for sha in champions.shas], bool)
    shares = {"champion": a, "challenger": b, "agreement": same}
    for name, mask in shares.items():
        if (share := share_of(mask, groups)) is not None:
            report[name] = share.as_json()
    return report | {
        "n": len(groups),
        "groups": len(np.unique(groups)),
        "difference": difference(a, b, groups),
        "only": {"challenger_only": int((b & ~a).sum()), "champion_only": int((a & ~b).sum())},
        "drift": {
            model: _drift(champions.rows, own.rows, model)
            for model in sorted(set(models) & set(own.rows.scores) & set(champions.rows.scores))
        },
    }


def only_flagged(*, shadow: Shadow, side: str) -> list[dict[str, Any]]:
    """Images that one side alone flags, `[{"sha256", "brand", "score"}]`, the surest first. Kept in
    the cache, for the pages of a grid are many.

    Raises:
        JobError, OSError: a scan's shards cannot be read.
    """
    if shadow.own_scan is None or shadow.champions_scan is None:
        return []
    models = shadow.report.get("models", FLAGGING)
    key = f"shadow:{shadow.own_scan_id}:{shadow.champions_scan_id}:{'+'.join(models)}:{side}"
    found: list[dict[str, Any]] | None = cache.get(key)
    if found is None:
        own, champions = _read(shadow.own_scan), _read(shadow.champions_scan)
        theirs, ours = _theirs(shadow, champions), _together(own, champions, models)
        mine, other = (ours, theirs) if side == "challenger_only" else (theirs, ours)
        alone = [(-score, sha, brand) for sha, (brand, score) in mine.items() if sha not in other]
        found = [
            {"sha256": sha, "brand": brand, "score": -below} for below, sha, brand in sorted(alone)
        ][:MOST]
        cache.set(key, found, SECONDS)
    return found


def _read(scan: Scan) -> _Side:
    side = _Side()
    for table in batches(scan):
        start = len(side.shas)
        side.shas += table["sha256"].to_pylist()
        add_rows(side.rows, table, scan.release, range(start, len(side.shas)))
        for hit in hits(table, scan.release):
            for model, score in hit.scores.items():
                side.flags.setdefault(model, {})[hit.sha256] = (hit.brand, score)
    return side


def _theirs(shadow: Shadow, champions: _Side) -> dict[str, tuple[str, float]]:
    """Each image that the champion flags, with its surest flag."""
    has_fusion = shadow.champion is not None and shadow.champion.fusion_id is not None
    return _together(champions, champions, (FUSION,) if has_fusion else ())


def _together(
    own: _Side, champions: _Side, models: Collection[str]
) -> dict[str, tuple[str, float]]:
    """Each flagged image's surest flag, with the models of `models` from `own`: a fusion's, where
    what would be promoted has one, as it alone raises flags then."""
    found: dict[str, tuple[str, float]] = {}
    for model in (FUSION,) if FUSION in models else ALONE:
        flags = (own if model in models else champions).flags.get(model, {})
        for sha, (brand, score) in flags.items():
            if sha not in found or score > found[sha][1]:
                found[sha] = (brand, score)
    return found


def _brand(flags: Flags, sha: str) -> str:
    return flags[sha][0] if sha in flags else ""


def _drift(before: Rows, after: Rows, model: str) -> dict[str, Any]:
    least = settings.MONITORING_LEAST_IMAGES
    sides = before.scores_of(model), after.scores_of(model)
    return {
        "stability": _as_json(stability_index(*sides, least=least)),
        "shift": _as_json(score_shift(*sides, least=least)),
    }


def _as_json(drift: Drift | None) -> dict[str, Any] | None:
    if drift is None:
        return None
    return {"value": drift.value, "limit": drift.limit, "n": drift.n}
