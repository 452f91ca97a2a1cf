"""Figures of several seeds as one."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def means(rows: Sequence[Mapping[str, Any]], *, by: tuple[str, ...]) -> list[dict[str, Any]]:
    """The figures' means over the seeds, and with two seeds or more the least and greatest.

    Args:
        rows: each with the keys `by`, `seed`, and figures.
    """
    keys = dict.fromkeys(tuple(row[name] for name in by) for row in rows)
    found = []
    for key in keys:
        mine = [row for row in rows if tuple(row[name] for name in by) == key]
        mean: dict[str, Any] = dict(zip(by, key, strict=True))
        for name in (name for name in mine[0] if name not in (*by, "seed")):
            values = [row[name] for row in mine]
            mean[name] = round(statistics.mean(values), 4)
            if len(values) > 1:
                mean[f"{name} range"] = [round(min(values), 4), round(max(values), 4)]
        found.append(mean)
    return found
