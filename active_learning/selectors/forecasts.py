"""Forecasts of rounds, and what came of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from active_learning.measures import Figure, brand_recalls
from active_learning.models import Forecast, ModelKind, Round, Worth
from active_learning.selectors import registry


def forecasts() -> QuerySet[Forecast]:
    return Forecast.objects.select_related("release", "requested_by", "round")


@dataclass(frozen=True)
class Change:
    """Of a brand, or of all where `brand` is empty: recall and precision, each `{"before", "after",
    "change", "low", "high"}` or None; `outcome`, how the recall did change, once it is known."""

    brand: str
    items: int
    recall: Mapping[str, float] | None
    precision: Mapping[str, float] | None
    outcome: float | None = None

    @property
    def as_forecast(self) -> bool | None:
        """Whether the outcome lies in the forecast's interval."""
        if self.outcome is None or self.recall is None:
            return None
        return self.recall["low"] <= self.outcome <= self.recall["high"]


def changes(
    *, report: Mapping[str, Any], items: Mapping[str, int], outcome: Mapping[str, float]
) -> list[Change]:
    """All brands together first, then each: those asked about, most items first, then those whose
    change is the largest. Empty before there is a report.

    Args:
        items: asked by brand.
        outcome: of the recall by brand, "" for the mean; see `outcomes`.
    """
    if not report:
        return []
    total = Change("", sum(items.values()), report["recall"], report["precision"], outcome.get(""))
    each = [
        Change(key, items.get(key, 0), found["recall"], found["precision"], outcome.get(key))
        for key, found in report["brands"].items()
    ]
    return [total, *sorted(each, key=_need)]


def _need(change: Change) -> tuple[int, float, str]:
    moved = abs(change.recall["change"]) if change.recall else 0.0
    return -change.items, -moved, change.brand


def items_by_brand(forecast: Forecast) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in forecast.chosen:
        if row["kind"] == "brand" and row["brand"]:
            found[row["brand"]] = found.get(row["brand"], 0) + row["items"]
    return found


def outcomes(*, round_: Round | None) -> dict[str, float]:
    """How the classifier's recall changed with a round, by brand and as the mean over the brands
    of both ("" as the key); empty before its candidate is measured."""
    if round_ is None or round_.champion is None or round_.candidate is None:
        return {}
    reports = registry.reports_together(before=round_.champion, after=round_.candidate)
    before, after = (brand_recalls(report, ModelKind.CLASSIFIER) for report in reports)
    shared = before.keys() & after.keys()
    found = {key: after[key].value - before[key].value for key in shared}
    if found:
        found[""] = sum(found.values()) / len(found)
    return found


def worth_of(*, round_: Round) -> Worth | None:
    return Worth.objects.filter(round=round_).first()


def pooled_worth() -> Figure | None:
    """What a batch of chosen labels bought over as many random ones, in mean recall, over all
    rounds: each weighted by how well it is known (inverse variance); None before the first."""
    found = [
        row["recall"]
        for row in Worth.objects.exclude(report={}).values_list("report", flat=True)
        if row.get("recall")
    ]
    if not found:
        return None
    # A 90 % interval is 3.29 standard errors wide.
    weights = [1 / max((row["high"] - row["low"]) / 3.29, 1e-3) ** 2 for row in found]
    mean = sum(w * row["change"] for w, row in zip(weights, found, strict=True)) / sum(weights)
    half = 1.645 / sum(weights) ** 0.5
    return Figure(mean, mean - half, mean + half, len(found))
