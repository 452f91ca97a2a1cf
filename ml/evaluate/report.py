"""The report of one model: what it reaches on the closed, open and business rows."""

from typing import Any

import numpy as np

from ml.evaluate.bootstrap import Design
from ml.evaluate.boxes import image_boxes, mean_average_precision
from ml.evaluate.calibration import reliability
from ml.evaluate.confusion import confusion
from ml.evaluate.gating import gate_part
from ml.evaluate.intervals import Figure, share_of
from ml.evaluate.judging import COMMON
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.recall import mean_recall, recall_by_brand
from ml.evaluate.scored import Scored
from ml.evaluate.slices import slices
from ml.evaluate.sweep import at_fixed_thresholds, precision_of_flags, sweep
from ml.manifest import group_keys


def build_report(
    kind: str, data: Scored, rows: Outcomes, thresholds: dict[str, float]
) -> dict[str, Any]:
    """The report of docs/architecture.md, without what `run` adds.

    Args:
        rows, thresholds: as of `judging.judge`.
    """
    report: dict[str, Any] = {"kind": kind, "thresholds": thresholds}
    # True variations are not counted in the flag ratio, so there its right flags are missing.
    brands = kind != "variation"
    report |= _open(rows.measured, thresholds.get(COMMON), precision=brands)
    of = "brand" if brands else "class"
    report |= _closed(rows.branded("closed"), of=of)
    read = (rows.split == "closed") & gate_part(group_keys(data.rows))
    gates = _closed(rows.of(read & (rows.truth != "")), of=of).get("closed", {})
    if brands:
        logo = data.column("has_logo")[(rows.split == "business") & (rows.truth != "")]
        report |= _business(rows.branded("business"), logo)
        report |= average_precision(data.of(rows.split == "closed"))
        gates |= average_precision(data.of(read))
        report |= confusion(rows.branded("closed"))
    report |= {"gates": gates} if gates else {}
    report |= at_fixed_thresholds(rows, precision=brands, brands=data.names if brands else ())
    return report | sweep(rows) | reliability(rows) | slices(data, rows)


def _open(rows: Outcomes, threshold: float | None, *, precision: bool) -> dict[str, Any]:
    ratio = share_of(rows.flagged, rows.group)
    if ratio is None:
        return {}
    figures = {
        "flag_ratio": ratio.value,
        "threshold": threshold,
        "n": ratio.n,
        "interval": _ends(ratio),
    }
    return {"open": figures | (precision_of_flags(rows, rows.flagged) if precision else {})}


def _closed(rows: Outcomes, *, of: str) -> dict[str, Any]:
    """Mean recall over brands; of the variation model, over collages and stacks, where a hit is
    flagged, as whichever of the two."""
    if not len(rows):
        return {}
    by_name: dict[str, dict[str, Any]] = {**recall_by_brand(rows.hit, rows.truth)}
    for name, figures in by_name.items():
        mine = rows.truth == name
        figures["interval"] = _ends(share_of(rows.hit[mine], rows.group[mine]))
    mean = Design(rows.truth, rows.group).mean_share(rows.hit)
    return {
        "closed": {
            "mean_recall": mean_recall(by_name),
            "interval": _ends(mean),
            "n": mean.n,
            "groups": len(np.unique(rows.group)),
            f"per_{of}": by_name,
        }
    }


def _business(rows: Outcomes, logo: np.ndarray) -> dict[str, Any]:
    shares = {
        name: share_of(rows.hit[logo == value], rows.group[logo == value])
        for name, value in (("recall_logo", True), ("recall_no_logo", False))
    }
    found = {name: share for name, share in shares.items() if share}
    if not found:
        return {}
    return {
        "business": {name: share.value for name, share in found.items()}
        | {"n": {name: share.n for name, share in found.items()}}
        | {"intervals": {name: _ends(share) for name, share in found.items()}}
    }


def _ends(figure: Figure | None) -> list[float] | None:
    return None if figure is None else [figure.low, figure.high]


def average_precision(data: Scored) -> dict[str, Any]:
    if data.boxes is None:
        return {}
    known = data.of(np.array([boxes is not None for boxes in data.rows["boxes"].to_pylist()], bool))
    truths = known.rows["boxes"].to_pylist()
    if not any(truths):
        return {}
    map50, map50_95 = mean_average_precision(
        [image_boxes(true, found) for true, found in zip(truths, known.boxes or [], strict=True)]
    )
    return {"map50": map50, "map50_95": map50_95}
