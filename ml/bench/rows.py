"""Rows of figures: their means over seeds, and a table to read on a terminal."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def means(rows: Sequence[Row], by: Sequence[str]) -> list[dict[str, Any]]:
    """The figures' means over the seeds, and with two seeds or more the least and greatest; None
    where a figure was not measured."""
    keys = dict.fromkeys(tuple(row[name] for name in by) for row in rows)
    found = []
    for key in keys:
        mine = [row for row in rows if tuple(row[name] for name in by) == key]
        figures = [name for name in mine[0] if name not in (*by, "seed")]
        mean: dict[str, Any] = dict(zip(by, key, strict=True))
        for name in figures:
            mean |= _mean(name, [row[name] for row in mine if row[name] is not None])
        found.append(mean)
    return found


def _mean(name: str, values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {name: None}
    mean: dict[str, Any] = {name: round(statistics.mean(values), 4)}
    if len(values) > 1:
        mean[f"{name} range"] = [round(min(values), 4), round(max(values), 4)]
    return mean


def as_table(rows: Sequence[Row]) -> str:
    """Lines of aligned columns, named by the first row's keys; what is None stays empty."""
    names = list(rows[0])
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " to ".join(map(_cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
