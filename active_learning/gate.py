"""The gate: what a candidate's models reached against what the champion's did, on the same frozen
test sets. Pure functions on reports of `ml evaluate`."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from active_learning.models import ModelKind
from active_learning.sentences import Sentence, in_words, sentence

RECALL_TOLERANCE = 0.01  # of mean recall, absolute
MAP_TOLERANCE = 0.02  # of mAP@0.5, absolute
FLAG_TOLERANCE = 1.2  # times the budget
Z = 2.0  # standard errors


@dataclass
class _Verdict:
    passed: bool = True
    reasons: list[Sentence] = field(default_factory=list)

    def check(self, passed: bool, reason: Sentence) -> None:
        self.passed = self.passed and passed
        self.reasons.append(reason | {"met": passed})

    def note(self, reason: Sentence) -> None:
        self.check(True, reason)


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
        `{kind: {"passed": bool, "reasons": [reason, …]}}`; a reason is a sentence of
        `active_learning.sentences` with the figures, and `met`.
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
        verdict.note(sentence("mAP@0.5 %(own)s, the first of its kind", own=f"{own:.3f}"))
        return
    reason = sentence(
        "mAP@0.5 %(own)s, the champion %(theirs)s (tolerance %(tolerance)s)",
        own=f"{own:.3f}",
        theirs=f"{theirs:.3f}",
        tolerance=str(MAP_TOLERANCE),
    )
    verdict.check(own >= theirs - MAP_TOLERANCE, reason)


def _check_recall(
    verdict: _Verdict, report: Mapping, champion: Mapping | None, brands: Collection[str] | None
) -> None:
    own, theirs = mean_recall(report, brands), mean_recall(champion or {}, brands)
    if own is None:
        verdict.check(False, sentence("no closed-set recall was measured"))
        return
    if theirs is None:
        # However weak: without a first model nothing is ever asked that would teach a better one.
        text = sentence("closed mean recall %(own)s, the first of its kind", own=f"{own:.3f}")
        verdict.note(text)
        return
    reason = sentence(
        "closed mean recall %(own)s, the champion %(theirs)s (tolerance %(tolerance)s)",
        own=f"{own:.3f}",
        theirs=f"{theirs:.3f}",
        tolerance=str(RECALL_TOLERANCE),
    )
    verdict.check(own >= theirs - RECALL_TOLERANCE, reason)


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
        verdict.note(sentence("no open-set flag ratio was measured"))
        return
    own, rows = f"{opened['flag_ratio']:.2%}", opened["n"]
    if champion is None:
        verdict.note(sentence("open flag ratio %(own)s of %(rows)s", own=own, rows=rows))
        return
    limit = flag_limit(rows=rows)
    theirs = champion.get("open", {}).get("flag_ratio")
    reason = sentence(
        "open flag ratio %(own)s of %(rows)s, the champion %(theirs)s, limit %(limit)s for a "
        "budget of %(budget)s",
        own=own,
        rows=rows,
        theirs="–" if theirs is None else f"{theirs:.2%}",
        limit=f"{limit:.2%}",
        budget=f"{settings.FLAG_RATIO_BUDGET:.2%}",
    )
    verdict.check(opened["flag_ratio"] <= max(limit, theirs or 0.0), reason)


def reasons_in_words(verdict: Mapping[str, Any]) -> list[str]:
    """The reasons of a model's verdict, in the language that is active."""
    return [
        in_words(reason) if reason["met"] else _("not met: %(text)s") % {"text": in_words(reason)}
        for reason in verdict.get("reasons", ())
    ]


def verdict_in_words(gate: Mapping[str, Mapping[str, Any]]) -> str:
    """What a gate said of every model, in one line."""
    said = []
    for kind, verdict in gate.items():
        text = _("%(model)s passed (%(reasons)s)")
        if not verdict["passed"]:
            text = _("%(model)s did not pass (%(reasons)s)")
        reasons = ", ".join(reasons_in_words(verdict))
        said.append(text % {"model": _(kind), "reasons": reasons})
    return "; ".join(said)


def flag_limit(*, rows: int) -> float:
    """The flag ratio on `rows` open images above which the budget counts as overdrawn. Threshold
    and ratio come from one half of the open set each, so chance enters twice."""
    budget = settings.FLAG_RATIO_BUDGET
    noise = math.sqrt(2 * budget * (1 - budget) / max(rows, 1))
    return FLAG_TOLERANCE * budget + Z * noise
