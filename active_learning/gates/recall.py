"""Whether a model finds as much as the champion's."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.conf import settings

from active_learning.gates.verdict import Verdict
from active_learning.sentences import Sentence, sentence
from ml.evaluate.intervals import Z

MAP_TOLERANCE = 0.02  # of mAP@0.5, absolute


def not_below(
    gate: str, measure: Sentence, *, own: float, theirs: float | None, tolerance: float
) -> Verdict:
    """A figure may not be further below the champion's than the tolerance; a first one is."""
    if theirs is None:
        first = sentence(
            "%(measure)s %(own)s, the first of its kind", measure=measure, own=f"{own:.3f}"
        )
        return Verdict(gate, True, first)
    reason = sentence(
        "%(measure)s %(own)s, the champion %(theirs)s (tolerance %(tolerance)s)",
        measure=measure,
        own=f"{own:.3f}",
        theirs=f"{theirs:.3f}",
        tolerance=str(tolerance),
    )
    return Verdict(gate, own >= theirs - tolerance, reason)


def average_precision(report: Mapping, champion: Mapping | None) -> Verdict:
    """mAP@0.5, which the report holds."""
    return not_below(
        "map",
        sentence("mAP@0.5"),
        own=figures_read(report)["map50"],
        theirs=figures_read(champion or {}).get("map50"),
        tolerance=MAP_TOLERANCE,
    )


def reported_recall(
    report: Mapping, champion: Mapping | None, brands: Collection[str] | None
) -> Verdict:
    """Closed mean recall by the reports alone."""
    own, theirs = mean_recall(report, brands), mean_recall(champion or {}, brands)
    if own is None:
        return Verdict("recall", False, sentence("no closed-set recall was measured"))
    return not_below(
        "recall",
        sentence("closed mean recall"),
        own=own,
        theirs=theirs,
        tolerance=settings.GATE_RECALL_TOLERANCE,
    )


def paired_recall(change: Mapping[str, Any]) -> Iterator[Verdict]:
    """Closed mean recall on the same images.

    With test items enough, it fails where the whole paired interval of the difference lies below
    the tolerance. With too few that interval tells nothing, and would let anything pass: then the
    difference itself may not lie below it. So a small test set never blocks what is no worse.
    """
    needed = groups_needed(change)
    enough = change["groups"] >= needed
    yield enough_items(groups=change["groups"], needed=needed)
    tolerance = settings.GATE_RECALL_TOLERANCE
    if not enough:
        measure = sentence("closed mean recall")
        yield not_below("recall", measure, own=change["b"], theirs=change["a"], tolerance=tolerance)
        return
    low, high = change["interval"]
    reason = sentence(
        "closed mean recall %(own)s, the champion %(theirs)s on the same images: difference "
        "%(difference)s [%(low)s, %(high)s] (tolerance %(tolerance)s)",
        own=f"{change['b']:.3f}",
        theirs=f"{change['a']:.3f}",
        difference=f"{change['difference']:+.3f}",
        low=f"{low:+.3f}",
        high=f"{high:+.3f}",
        tolerance=str(tolerance),
    )
    yield Verdict("recall", high >= -tolerance, reason)


def enough_items(*, groups: int, needed: int) -> Verdict:
    """Fewer than the least are no test at all; fewer than needed are told."""
    least = settings.GATE_LEAST_GROUPS
    figures: dict[str, str | int] = {
        "groups": groups, "needed": needed, "least": least,
        "resolution": str(settings.GATE_RECALL_RESOLUTION),
    }  # fmt: skip
    if groups < least:
        text = sentence("%(groups)s test groups, at least %(least)s are asked for", **figures)
        return Verdict("items", False, text)
    if groups < needed:
        return Verdict("items", True, sentence(
            "%(groups)s test groups, %(needed)s are needed to tell %(resolution)s from chance: "
            "too few, so the difference itself decides", **figures,
        ))  # fmt: skip
    return Verdict("items", True, sentence(
        "%(groups)s test groups, %(needed)s are needed to tell %(resolution)s from chance",
        **figures,
    ))  # fmt: skip


def groups_needed(change: Mapping[str, Any]) -> int:
    """How many test groups would have the paired interval reach no further than the resolution to
    either side: from its width, which shrinks with the root of their number, and from the share
    of groups on which the models differ (one more counted as such, for a width of 0 is chance)."""
    groups, resolution = change["groups"], settings.GATE_RECALL_RESOLUTION
    half = (change["interval"][1] - change["interval"][0]) / 2
    differing = (change["a_only"] + change["b_only"] + 1) / (groups + 2)
    return math.ceil(max(groups * half**2, Z**2 * differing) / resolution**2)


def mean_recall(report: Mapping, brands: Collection[str] | None = None) -> float | None:
    """Mean over the brands (all measured ones when None) of the brand's recall on the closed rows
    that gates read; None when there is none."""
    closed = figures_read(report)
    per_brand = closed.get("per_brand")
    if brands is None or per_brand is None:
        return closed.get("mean_recall")
    recalls = [found["recall"] for brand, found in per_brand.items() if brand in brands]
    return sum(recalls) / len(recalls) if recalls else None


def figures_read(report: Mapping) -> Mapping[str, Any]:
    """What gates read of the closed rows; all of a report from before these were told apart."""
    if "gates" in report:
        return report["gates"]
    whole = {"map50": report["map50"]} if "map50" in report else {}
    return whole | report.get("closed", {})
