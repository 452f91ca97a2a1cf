"""Figures of reports with their intervals, for pages."""

import math
from dataclasses import dataclass
from typing import Any

from ml.evaluate.intervals import Figure, Z, wilson

__all__ = [
    "Figure",
    "ModelFigures",
    "brand_recalls",
    "figures",
    "flag_ratio",
    "mean_recall",
    "wilson",
]


def mean_recall(closed: dict[str, Any]) -> Figure | None:
    """Mean of the brands' recalls; its interval from each brand's binomial variance (with one hit
    and one miss added, so that a brand of two images found twice is not taken as certain)."""
    mean = closed.get("mean_recall")
    if mean is None:
        return None
    rows = (closed.get("per_brand") or closed.get("per_class") or {}).values()
    rows = [row for row in rows if row.get("n")]
    if not rows:
        return Figure(mean, mean, mean)
    variance = sum(_variance(row["recall"] * row["n"], row["n"]) for row in rows) / len(rows) ** 2
    half = Z * math.sqrt(variance)
    n = sum(row["n"] for row in rows)
    return Figure(mean, max(0.0, mean - half), min(1.0, mean + half), n)


def _variance(hits: float, n: int) -> float:
    share = (hits + 1) / (n + 2)
    return share * (1 - share) / n


def flag_ratio(opened: dict[str, Any]) -> Figure | None:
    """Share of the open set that is flagged."""
    ratio, n = opened.get("flag_ratio"), opened.get("n")
    if ratio is None:
        return None
    return wilson(ratio * n, n) if n else Figure(ratio, ratio, ratio)


@dataclass(frozen=True)
class ModelFigures:
    """What a report says of one model."""

    kind: str
    recall: Figure | None
    flagged: Figure | None
    map50: float | None
    recall_logo: float | None
    recall_no_logo: float | None

    @classmethod
    def of(cls, kind: str, report: dict[str, Any]) -> "ModelFigures":
        business = report.get("business", {})
        return cls(
            kind=kind,
            recall=mean_recall(report.get("closed", {})),
            flagged=flag_ratio(report.get("open", {})),
            map50=report.get("map50"),
            recall_logo=business.get("recall_logo"),
            recall_no_logo=business.get("recall_no_logo"),
        )


def figures(report: dict[str, Any]) -> dict[str, ModelFigures]:
    """By model, of a release's report."""
    return {kind: ModelFigures.of(kind, part) for kind, part in report.items() if part}


def brand_recalls(report: dict[str, Any], kind: str) -> dict[str, Figure]:
    """Recall on the closed set by brand key."""
    rows = report.get(kind, {}).get("closed", {}).get("per_brand", {})
    found = {key: wilson(row["recall"] * row["n"], row["n"]) for key, row in rows.items()}
    return {key: figure for key, figure in found.items() if figure}
