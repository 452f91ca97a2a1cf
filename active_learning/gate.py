"""The gate: what a candidate's models reached against what the champion's did, on the same frozen
test sets. Pure functions on reports of `ml evaluate`."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from active_learning.models import ModelKind

RECALL_TOLERANCE = 0.01  # of mean recall, absolute
MAP_TOLERANCE = 0.02  # of mAP@0.5, absolute
FLAG_TOLERANCE = 1.2  # times the budget
Z = 2.0  # standard errors


@dataclass
class _Verdict:
    passed: bool = True
    reasons: list[str] = field(default_factory=list)

    def check(self, passed: bool, reason: str) -> None:
        self.passed = self.passed and passed
        self.reasons.append(reason if passed else f"not met: {reason}")


def judge(
    *,
    candidate_report: Mapping[str, Any],
    champion_report: Mapping[str, Any] | None,
    brands: Collection[str] | None = None,
) -> dict[str, dict]:
    """Judge each model by itself.

    Args:
        candidate_report, champion_report: reports by kind of model, on the same test sets; the
            champion's is None or lacks a kind where there was no such model.
        brands: compare mean recall on these only, those that both were trained for.

    Returns:
        `{kind: {"passed": bool, "reasons": [sentence with the figures, …]}}`.
    """
    return {
        kind: _judge_model(kind, report, (champion_report or {}).get(kind), brands)
        for kind, report in candidate_report.items()
    }


def _judge_model(
    kind: str, report: Mapping, champion: Mapping | None, brands: Collection[str] | None
) -> dict[str, Any]:
    verdict = _Verdict()
    if kind == ModelKind.DETECTOR and "map50" in report:
        _check_map(verdict, report, champion)
    else:
        shared = brands if kind != ModelKind.VARIATION else None
        _check_recall(verdict, report, champion, shared)
        _check_flag_ratio(verdict, report, champion)
    return {"passed": verdict.passed, "reasons": verdict.reasons}


def _check_map(verdict: _Verdict, report: Mapping, champion: Mapping | None) -> None:
    own, theirs = report["map50"], (champion or {}).get("map50")
    if theirs is None:
        verdict.reasons.append(f"mAP@0.5 {own:.3f}, the first of its kind")
        return
    verdict.check(
        own >= theirs - MAP_TOLERANCE,
        f"mAP@0.5 {own:.3f}, the champion {theirs:.3f} (tolerance {MAP_TOLERANCE})",
    )


def _check_recall(
    verdict: _Verdict, report: Mapping, champion: Mapping | None, brands: Collection[str] | None
) -> None:
    own, theirs = mean_recall(report, brands), mean_recall(champion or {}, brands)
    if own is None:
        verdict.check(False, "no closed-set recall was measured")
    elif theirs is None:
        # However weak: without a first model nothing is ever asked that would teach a better one.
        verdict.reasons.append(f"closed mean recall {own:.3f}, the first of its kind")
    else:
        verdict.check(
            own >= theirs - RECALL_TOLERANCE,
            f"closed mean recall {own:.3f}, the champion {theirs:.3f} "
            f"(tolerance {RECALL_TOLERANCE})",
        )


def mean_recall(report: Mapping, brands: Collection[str] | None = None) -> float | None:
    """Mean over the brands (all measured ones when None) of the brand's recall on the closed set;
    None when there is none."""
    closed = report.get("closed", {})
    per_brand = closed.get("per_brand")
    if brands is None or per_brand is None:
        return closed.get("mean_recall")
    recalls = [found["recall"] for brand, found in per_brand.items() if brand in brands]
    return sum(recalls) / len(recalls) if recalls else None


def _check_flag_ratio(verdict: _Verdict, report: Mapping, champion: Mapping | None) -> None:
    opened = report.get("open")
    if opened is None:
        verdict.reasons.append("no open-set flag ratio was measured")
        return
    if champion is None:
        verdict.reasons.append(f"open flag ratio {opened['flag_ratio']:.2%} of {opened['n']}")
        return
    limit = flag_limit(rows=opened["n"])
    theirs = champion.get("open", {}).get("flag_ratio")
    against = "" if theirs is None else f", the champion {theirs:.2%}"
    verdict.check(
        opened["flag_ratio"] <= max(limit, theirs or 0.0),
        f"open flag ratio {opened['flag_ratio']:.2%} of {opened['n']}, limit {limit:.2%} for a "
        f"budget of {settings.FLAG_RATIO_BUDGET:.2%}{against}",
    )


def flag_limit(*, rows: int) -> float:
    """The flag ratio on `rows` open images above which the budget counts as overdrawn. Threshold
    and ratio come from one half of the open set each, so chance enters twice."""
    budget = settings.FLAG_RATIO_BUDGET
    noise = math.sqrt(2 * budget * (1 - budget) / max(rows, 1))
    return FLAG_TOLERANCE * budget + Z * noise
