"""Figures of parts of the test sets: by logo, its size, attack, source, category, arrangement."""

from typing import Any

import numpy as np

from ml.evaluate.intervals import share_of
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.scored import Scored

BY = ("has_logo", "logo_size", "attack", "source", "category", "variation")
SIZES = {"< 1%": 0.01, "1–3%": 0.03, "3–10%": 0.1, "≥ 10%": np.inf}
MOST_VALUES = 20


def slices(data: Scored, rows: Outcomes) -> dict[str, Any]:
    """`slices`: recall of closed and business rows, and flag ratio of the counted open rows, by
    each of BY. `{set: {by: [{"of", "value", "low", "high", "n"}]}}`, largest part first,
    sizes of logos from the smallest up.

    What is the same for all rows of a set, or known of none, is left out; `of` is null where it
    is not known of the row.
    """
    masks = {
        "closed": (rows.split == "closed") & (rows.truth != ""),
        "business": (rows.split == "business") & (rows.truth != ""),
        "open": rows.counted,
    }
    columns = {name: data.column(name) for name in BY if name != "logo_size"}
    columns["logo_size"] = logo_sizes(data.box_share, len(rows))
    found: dict[str, dict[str, list]] = {}
    for name, mask in masks.items():
        part = rows.of(mask)
        values = part.flagged if name == "open" else part.hit
        by = {key: _figures(columns[key][mask], values, part.group) for key in BY}
        found[name] = {key: lines for key, lines in by.items() if len(lines) > 1}
    return {"slices": found} if any(found.values()) else {}


def logo_sizes(box_share: np.ndarray | None, n: int) -> np.ndarray:
    """The name of each row's size of logo, object [n]."""
    names = np.full(n, None, dtype=object)
    if box_share is not None:
        known = ~np.isnan(box_share)
        place = np.searchsorted(list(SIZES.values()), box_share[known], side="right")
        names[known] = np.array(list(SIZES), dtype=object)[np.minimum(place, len(SIZES) - 1)]
    return names


def _figures(column: np.ndarray, hit: np.ndarray, groups: np.ndarray) -> list[dict[str, Any]]:
    lines = []
    for value in dict.fromkeys(column):
        mine = np.array([own == value for own in column], bool)
        share = share_of(hit[mine], groups[mine])
        if share is not None:
            lines.append({"of": value} | share.as_json())
    lines.sort(key=lambda line: (-line["n"], str(line["of"])))
    if set(column) <= {*SIZES, None}:
        lines.sort(key=lambda line: [*SIZES, None].index(line["of"]))
    return lines[:MOST_VALUES]
