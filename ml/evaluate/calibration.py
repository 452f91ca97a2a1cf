"""Whether scores mean what they say."""

from typing import Any

import numpy as np

from ml.evaluate.intervals import share_of
from ml.evaluate.outcomes import Outcomes

BINS = 10


def reliability(rows: Outcomes) -> dict[str, Any]:
    """`calibration` of the highest score on the closed rows, and on the open rows whose truth is
    known: there most rows show no brand, as online, so a score has to be earned."""
    closed = rows.branded("closed")
    opened = rows.of((rows.split == "open") & rows.known)
    sets = {"closed": (closed, closed.own), "open": (opened, opened.right)}
    found = {
        name: {"ece": calibration_error(part.score, right), "bins": _bins(part, right)}
        for name, (part, right) in sets.items()
        if len(part)
    }
    return {"calibration": found} if found else {}


def calibration_error(scores: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015; Guo et al., ICML 2017, equation 3):
    mean over BINS bins of equal width, weighted by rows, of |share right − mean score|.

    Args:
        scores, right: [n] in [0, 1], bool [n]; at least one row.
    """
    place = bin_of(scores)
    counts, total, good = (
        np.bincount(place, weights=weights, minlength=BINS)
        for weights in (np.ones(len(scores)), scores, right.astype(float))
    )
    return float(np.abs(total - good)[counts > 0].sum() / len(scores))


def bin_of(scores: np.ndarray) -> np.ndarray:
    """int [n]: the bin of each score; an edge belongs to the bin above it, 1 to the last."""
    edges = np.linspace(0, 1, BINS + 1)
    return np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, BINS - 1)


def _bins(rows: Outcomes, right: np.ndarray) -> list[dict[str, Any]]:
    place = bin_of(rows.score)
    lines = []
    for i in np.unique(place):
        mine = place == i
        share = share_of(right[mine], rows.group[mine])
        if share is not None:
            edges = {"from": i / BINS, "to": (i + 1) / BINS}
            lines.append(edges | {"score": float(rows.score[mine].mean()), **share.as_json()})
    return lines
