"""Recall, flag ratio and precision as the threshold moves. One threshold for all brands."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.evaluate.bootstrap import TAILS, Design
from ml.evaluate.intervals import share_of
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.stratified import LEAST, stratified_share

FIXED = (0.5, 0.9, 0.99)  # as in the article's study of one brand
POINTS = 25
BAND_RESAMPLES = 200
MOST_BANDS = 3


def at_fixed_thresholds(
    rows: Outcomes, *, precision: bool = True, brands: Sequence[str] = ()
) -> dict[str, Any]:
    """`fixed_thresholds`: closed mean recall, flag ratio and open precision at each of FIXED, over
    all brands and of each.

    Args:
        precision: false for a model whose right flags are not among the counted rows.
        brands: those that the model knows.
    """
    closed, opened = rows.branded("closed"), rows.measured
    design = Design(closed.truth, closed.group)
    found = []
    for threshold in FIXED:
        line: dict[str, Any] = {"threshold": threshold}
        if len(closed):
            hit = closed.own & (closed.score > threshold)
            line["recall"] = design.mean_share(hit).as_json()
        over = opened.score > threshold
        if (ratio := share_of(over, opened.group)) is not None:
            line["flag_ratio"] = ratio.as_json()
            line |= precision_of_flags(opened, over) if precision else {}
        if brands:
            line["per_brand"] = {
                name: brand_figures(closed, opened, brand=name, threshold=threshold)
                for name in brands
            }
        found.append(line)
    return {"fixed_thresholds": found} if len(closed) or len(opened) else {}


def brand_figures(
    closed: Outcomes, opened: Outcomes, *, brand: str, threshold: float
) -> dict[str, Any]:
    """`recall` on the brand's closed rows, and `flag_ratio` and `precision` of the open rows that
    are flagged for it, at one threshold. Left out: the recall without closed rows of it, the ratio
    without open rows, the precision where nobody knows the truth of any of its flags.

    Args:
        closed, opened: the closed rows with a brand, and the counted open rows.
    """
    found: dict[str, Any] = {}
    mine = closed.of(closed.truth == brand)
    recall = share_of(mine.own & (mine.score > threshold), mine.group)
    if recall is not None:
        found["recall"] = recall.as_json()
    flags = (opened.said == brand) & (opened.score > threshold)
    ratio = share_of(flags, opened.group)
    if ratio is not None:
        found["flag_ratio"] = ratio.as_json()
        found |= precision_of_flags(opened, flags)
    return found


def precision_of_flags(opened: Outcomes, flagged: np.ndarray) -> dict[str, Any]:
    """`precision` of the flagged open rows, from those whose truth is known; empty where none is.

    Rows are stratified by score: reviewers may have answered more of one band than of another.
    Inside a band the answered ones must be a random sample, as probes are: rows chosen because a
    model was unsure of them would bend the figure.

    Args:
        opened: the open rows, [n].
        flagged: bool [n].
    """
    flags = opened.of(flagged)
    known = flags.known
    if not known.any():
        return {}
    for bands in range(MOST_BANDS, 0, -1):
        edges = np.quantile(flags.score, np.arange(1, bands) / bands)
        band = np.searchsorted(edges, flags.score)
        sizes, draws = (np.bincount(x, minlength=bands) for x in (band, band[known]))
        if (draws >= np.minimum(sizes, LEAST)).all():
            break
    hits = np.bincount(band[known & flags.right], minlength=bands)
    share = stratified_share(hits, draws, sizes)
    return {} if share is None else {"precision": share.as_json() | {"flagged": len(flags)}}


def sweep(rows: Outcomes) -> dict[str, Any]:
    """`sweep`: flag ratio on the counted open rows against closed mean recall, with its interval.

    The thresholds run from the highest open score down, so that flag ratios are evenly spaced on a
    logarithmic scale.
    """
    closed, opened = rows.branded("closed"), rows.measured
    if not len(closed) or len(opened) < 2:
        return {}
    best = np.sort(opened.score)[::-1]
    ranks = np.unique(np.geomspace(1, len(best) - 1, POINTS).astype(int))
    thresholds = np.unique(best[np.concatenate([[0], ranks])])[::-1]
    recalls = mean_recall_over(closed, thresholds)
    design = Design(closed.truth, closed.group)
    lines = []
    for threshold, recall in zip(thresholds, recalls, strict=True):
        hit = (closed.own & (closed.score > threshold)).astype(float)
        drawn = design.replicates(hit, resamples=BAND_RESAMPLES)
        low, high = np.percentile(drawn.mean(axis=1), TAILS)
        ratio = float((opened.score > threshold).mean())
        line = {"threshold": float(threshold), "flag_ratio": ratio, "recall": float(recall)}
        lines.append(line | {"low": float(low), "high": float(high)})
    return {"sweep": lines}


def mean_recall_over(closed: Outcomes, thresholds: np.ndarray) -> np.ndarray:
    """Closed mean recall [t] at each threshold [t]."""
    _, place = np.unique(closed.truth, return_inverse=True)
    sizes = np.bincount(place)
    weight = 1 / (sizes[place] * len(sizes))
    order = np.argsort(closed.score[closed.own])
    scores = closed.score[closed.own][order]
    # Weight of the hits from each place in the order upwards.
    above = np.append(np.cumsum(weight[closed.own][order][::-1])[::-1], 0.0)
    return above[np.searchsorted(scores, thresholds, side="right")]
