"""Two models on the same rows, each at its own thresholds: what differs, and whether that can be
told from chance. Positive differences are b − a."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from ml.evaluate.bootstrap import TAILS, Design
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.pairing import open_scores, paired
from ml.evaluate.scores_file import SavedScores
from ml.evaluate.sweep import sweep

LEVEL = 0.05


def compare(*, a: Path, b: Path, kind: str | None = None) -> dict[str, Any]:
    """The comparison of docs/architecture.md of two reports or scores files.

    Raises:
        InputError: as of `open_scores` and `paired`.
    """
    first, second = paired(open_scores(a, kind), open_scores(b, kind))
    return compare_scores(first, second)


def compare_scores(a: SavedScores, b: SavedScores) -> dict[str, Any]:
    """
    Args:
        a, b: as of `paired`.

    Brands that only one of the two models knows are left out of recall, and named.
    """
    shared = None if a.kind == "variation" else set(a.names) & set(b.names)
    found: dict[str, Any] = {
        side: {"scores": own.path.name, "kind": own.kind, "thresholds": own.thresholds}
        | sweep(own.rows.of(known_rows(own, shared)))
        for side, own in (("a", a), ("b", b))
    }
    if shared is not None:
        found["not_shared"] = sorted(set(a.names) ^ set(b.names))
    closed = (a.rows.split == "closed") & known_rows(a, shared) & (a.rows.truth != "")
    if closed.any():
        found["closed"] = closed_change(a.rows.of(closed), b.rows.of(closed))
    counted = a.rows.counted & b.rows.counted
    if counted.any():
        pair = a.rows.of(counted), b.rows.of(counted)
        found["open"] = difference(pair[0].flagged, pair[1].flagged, pair[0].group)
    business = (a.rows.split == "business") & known_rows(a, shared) & (a.rows.truth != "")
    parts = {"recall": business}
    parts |= {name: business & (a.has_logo == logo) for name, logo in _LOGO.items()}
    recalls = {
        name: difference(a.rows.hit[rows], b.rows.hit[rows], a.rows.group[rows])
        for name, rows in parts.items()
        if rows.any()
    }
    return found | ({"business": recalls} if recalls else {}) | {"verdict": _verdict(found)}


_LOGO = {"recall_logo": True, "recall_no_logo": False}


def known_rows(side: SavedScores, brands: Collection[str] | None) -> np.ndarray:
    """bool [n]: rows that both models could get right."""
    if brands is None:
        return np.ones(len(side.rows), bool)
    return np.array([truth == "" or truth in brands for truth in side.rows.truth], bool)


def difference(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, strata: np.ndarray | None = None
) -> dict[str, Any]:
    """Difference of two shares of the same rows, or of their means over strata.

    The interval resamples groups, with both models' outcomes of a group together. The counts are
    of groups on which one model has more hits than the other; p is the exact sign test on them,
    which is McNemar's (Psychometrika 12, 1947) where every row is its own group.

    Args:
        a, b: bool [n]; groups, strata: [n] keys.
    """
    design = Design(np.zeros(len(a), int) if strata is None else strata, groups)
    change = design.mean(b.astype(float) - a)
    a_only, b_only, p = signs(a, b, groups)
    return {
        "a": float(design.means(a).mean()),
        "b": float(design.means(b).mean()),
        "difference": change.value,
        "interval": [change.low, change.high],
        "n": len(a),
        "a_only": a_only,
        "b_only": b_only,
        "p": p,
        "distinguishable": not change.low <= 0 <= change.high,
    }


def signs(a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> tuple[int, int, float]:
    """Groups on which a, and on which b, has more hits, and the two-sided exact p."""
    _, place = np.unique(groups, return_inverse=True)
    lead = np.bincount(place, weights=b.astype(float) - a) if len(a) else np.zeros(0)
    a_only, b_only = int((lead < 0).sum()), int((lead > 0).sum())
    decided = a_only + b_only
    p = float(binomtest(b_only, decided).pvalue) if decided else 1.0
    return a_only, b_only, p


def closed_change(a: Outcomes, b: Outcomes) -> dict[str, Any]:
    """`closed` of a comparison, of the same rows with something to be found."""
    found = difference(a.hit, b.hit, a.group, strata=a.truth)
    counts = {
        "both": int((a.hit & b.hit).sum()),
        "a_only": int((a.hit & ~b.hit).sum()),
        "b_only": int((b.hit & ~a.hit).sum()),
        "neither": int((~a.hit & ~b.hit).sum()),
    }
    return found | {"images": counts, "per_brand": _per_brand(a, b)}


def _per_brand(a: Outcomes, b: Outcomes) -> dict[str, dict[str, Any]]:
    """A brand counts as changed by Holm's rule (Scand. J. Statist. 6, 1979) over all brands: of
    212 brands ten would seem changed by chance alone."""
    brands = np.unique(a.truth)
    drawn = Design(a.truth, a.group).replicates(b.hit.astype(float) - a.hit)
    lows, highs = np.percentile(drawn, TAILS, axis=0)
    rows: dict[str, dict[str, Any]] = {}
    for i, brand in enumerate(brands):
        mine = a.truth == brand
        a_only, b_only, p = signs(a.hit[mine], b.hit[mine], a.group[mine])
        old, new = float(a.hit[mine].mean()), float(b.hit[mine].mean())
        rows[str(brand)] = {
            "a": old, "b": new, "difference": new - old,
            "interval": [float(lows[i]), float(highs[i])],
            "n": int(mine.sum()), "a_only": a_only, "b_only": b_only, "p": p,
        }  # fmt: skip
    for brand, adjusted in holm({brand: row["p"] for brand, row in rows.items()}).items():
        rows[brand] |= {"p_adjusted": adjusted, "distinguishable": adjusted < LEVEL}
    return rows


def holm(values: dict[str, float]) -> dict[str, float]:
    """Holm's adjusted p of each."""
    adjusted, worst = {}, 0.0
    for i, (name, p) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        worst = max(worst, min(1.0, p * (len(values) - i)))
        adjusted[name] = worst
    return adjusted


def _verdict(found: dict[str, Any]) -> list[str]:
    """One plain sentence each on recall and on flags."""
    said = []
    if "closed" in found:
        said.append(_sentence("Closed mean recall", found["closed"], ("higher", "lower")))
    if "open" in found:
        said.append(_sentence("The flag ratio", found["open"], ("higher", "lower")))
    return said


def _sentence(what: str, found: dict[str, Any], words: tuple[str, str]) -> str:
    low, high = found["interval"]
    change = f"{found['difference']:+.4f} [{low:+.4f}, {high:+.4f}]"
    if not found["distinguishable"]:
        return f"{what}: no difference that can be told from chance ({change})."
    return f"{what} of b is {words[found['difference'] < 0]} ({change}), beyond chance."
