"""What gates read of two models' scores. A third of the closed rows is never read by any: it is
there to show whether what passed the gates was better, or only better on what they read."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.stats import binomtest

from ml.evaluate.compare import closed_change, holm, known_rows
from ml.evaluate.scores_file import LOGO_SIZE, SavedScores

SLICED_BY = ("has_logo", LOGO_SIZE, "attack", "variation", "source")


def gate_part(groups: Iterable[str]) -> np.ndarray:
    """bool [n]: the two thirds that gates may read, by hash of the group, so that near-duplicates
    are on one side and stay there."""
    digests = (hashlib.sha256(f"closed:{key}".encode()).digest() for key in groups)
    return np.array([digest[0] % 3 != 0 for digest in digests], bool)


def gate_changes(a: SavedScores, b: SavedScores) -> dict[str, Any]:
    """What changes from the champion `a` to the candidate `b` on the rows that gates read.

    Args:
        a, b: as of `ml.evaluate.pairing.paired`.

    Returns:
        `closed`: as of a comparison, with `groups`, and left out where there is no row.
        `shown`: the same of the third that gates do not read.
        `slices`: `[{"set", "by", "of", "a", "b", "n", "p", "p_adjusted"}]`, parts of the closed
        (read by gates) and business rows; p is the one-sided sign test of b being worse.
        `dropped`: brands that only the champion knows.
    """
    shared = None if a.kind == "variation" else set(a.names) & set(b.names)
    told = known_rows(a, shared) & (a.rows.truth != "")
    closed, read = told & (a.rows.split == "closed"), gate_part(a.rows.group)
    found: dict[str, Any] = {"dropped": sorted(set(a.names) - set(b.names))}
    for name, mask in (("closed", closed & read), ("shown", closed & ~read)):
        if mask.any():
            found[name] = closed_change(a.rows.of(mask), b.rows.of(mask))
            found[name]["groups"] = len(np.unique(a.rows.group[mask]))
    sets = {"closed": closed & read, "business": told & (a.rows.split == "business")}
    return found | {"slices": _slices(a, b, sets)}


def _slices(a: SavedScores, b: SavedScores, sets: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    lines = []
    for name, mask in sets.items():
        for by in SLICED_BY:
            column = a.context.get(by, np.full(len(mask), None, dtype=object))[mask]
            values = [value for value in dict.fromkeys(column) if value is not None]
            for value in values if len(values) > 1 else ():
                rows = np.flatnonzero(mask)[column == value]
                lines.append({"set": name, "by": by, "of": value} | _worse(a, b, rows))
    adjusted = holm({str(i): line["p"] for i, line in enumerate(lines)})
    return [line | {"p_adjusted": adjusted[str(i)]} for i, line in enumerate(lines)]


def _worse(a: SavedScores, b: SavedScores, rows: np.ndarray) -> dict[str, Any]:
    old, new = a.rows.hit[rows], b.rows.hit[rows]
    _, place = np.unique(a.rows.group[rows], return_inverse=True)
    lead = np.bincount(place, weights=new.astype(float) - old)
    better, decided = int((lead > 0).sum()), int((lead != 0).sum())
    p = float(binomtest(better, decided, alternative="less").pvalue) if decided else 1.0
    return {"a": float(old.mean()), "b": float(new.mean()), "n": len(rows), "p": p}
