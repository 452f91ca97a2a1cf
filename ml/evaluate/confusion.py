"""Which brands are taken for which."""

from typing import Any

import numpy as np

from ml.evaluate.outcomes import Outcomes

MOST_PAIRS = 50
MOST_BRANDS = 12  # in the matrix: as many as one can look at


def confusion(closed: Outcomes) -> dict[str, Any]:
    """`confusion` on the closed rows, whatever the threshold: the most frequent wrong pairs, how
    many of them are flagged as well, and the matrix of the brands most involved."""
    pairs = wrong_pairs(closed)
    if not len(closed):
        return {}
    brands = list(dict.fromkeys(name for pair in pairs for name in (pair["true"], pair["said"])))
    brands = sorted(brands[:MOST_BRANDS])
    return {
        "confusion": {
            "pairs": pairs[:MOST_PAIRS],
            "brands": brands,
            "counts": matrix(closed.truth, closed.said, brands).tolist(),
        }
    }


def wrong_pairs(closed: Outcomes) -> list[dict[str, Any]]:
    """`{true, said, n, share, flagged}` a pair that occurs, most frequent first; `share` is of the
    true brand's rows."""
    sizes = dict(zip(*np.unique(closed.truth, return_counts=True), strict=True))
    wrong = closed.of((closed.said != closed.truth) & (closed.said != ""))
    counts: dict[tuple[str, str], list[int]] = {}
    for true, said, flagged in zip(wrong.truth, wrong.said, wrong.flagged, strict=True):
        count = counts.setdefault((true, said), [0, 0])
        count[0] += 1
        count[1] += bool(flagged)
    ordered = sorted(counts.items(), key=lambda item: (-item[1][0], item[0]))
    return [
        {"true": t, "said": s, "n": n, "share": float(n / sizes[t]), "flagged": flagged}
        for (t, s), (n, flagged) in ordered
    ]


def matrix(truth: np.ndarray, said: np.ndarray, brands: list[str]) -> np.ndarray:
    """Counts int [k, k]: rows of a brand (first axis) by the brand with the highest score."""
    place = {brand: i for i, brand in enumerate(brands)}
    rows = np.array([place.get(name, -1) for name in truth], int)
    columns = np.array([place.get(name, -1) for name in said], int)
    both = (rows >= 0) & (columns >= 0)
    flat = np.bincount(rows[both] * len(brands) + columns[both], minlength=len(brands) ** 2)
    return flat.reshape(len(brands), len(brands))
