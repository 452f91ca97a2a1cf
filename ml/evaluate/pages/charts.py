"""The plots of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from ml.evaluate.pages.markup import Markup, join, tag
from ml.evaluate.pages.plot import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    Scale,
    frame,
    percent,
    ratio_scale,
    share_plot,
)  # fmt: skip

Row = Mapping[str, Any]


def has_curve(points: Sequence[Row]) -> bool:
    """There is something to draw: points with flags."""
    return sum(point["flag_ratio"] > 0 for point in points) > 1


def sweep_chart(curves: Mapping[str, Sequence[Row]], marks: Sequence[Row] = ()) -> Markup:
    """Recall against flag ratio, one curve a name, with bands.

    Args:
        curves: `sweep` of reports; class names s0, s1 in order.
        marks: points `{flag_ratio, recall, interval, name}` to pick out.
    """
    points = [point for curve in curves.values() for point in curve]
    lowest = min((p["flag_ratio"] for p in points if p["flag_ratio"] > 0), default=0.001)
    plot = share_plot(x=ratio_scale(lowest))
    drawn = [
        join(
            plot.area(
                [(p["flag_ratio"], p["high"]) for p in curve if p["flag_ratio"] > 0]
                + [(p["flag_ratio"], p["low"]) for p in reversed(curve) if p["flag_ratio"] > 0],
                f"band s{i}",
            ),
            plot.line(
                [(p["flag_ratio"], p["recall"]) for p in curve if p["flag_ratio"] > 0],
                f"line s{i}",
            ),
        )
        for i, curve in enumerate(curves.values())
    ]
    return frame(
        plot,
        drawn,
        [_mark(plot, mark) for mark in marks],
        title="Closed mean recall by flag ratio",
        across="flag ratio on the open set",
        up="closed mean recall",
    )


def _mark(plot: Plot, mark: Row) -> Markup:
    x, y, name = mark["flag_ratio"], mark["recall"], mark["name"]
    title = f"{name}: {percent(round(x, 5))} flagged, recall {y:.3f}"
    main = "interval" in mark
    low, high = mark.get("interval", (y, y))
    return join(
        plot.whisker(x, low, high, "whisker"),
        plot.dot(x, y, "dot main" if main else "dot", title=title, radius=4.5 if main else 3),
        plot.note(x, y, name, dx=7, dy=-6 if main else 13),
    )


def reliability_chart(calibration: Mapping[str, Row]) -> Markup:
    """Share right against score, by bin, closed and open; the diagonal is a score that means what
    it says. The strips below show how the scores are spread."""
    plot = share_plot()
    series = [
        join(
            plot.line([(b["score"], b["value"]) for b in found["bins"]], f"line s{i}"),
            [plot.whisker(b["score"], b["low"], b["high"], f"whisker s{i}") for b in found["bins"]],
            [plot.dot(b["score"], b["value"], f"dot s{i}", title=_bin(b)) for b in found["bins"]],
        )
        for i, found in enumerate(calibration.values())
    ]
    return frame(
        plot,
        plot.line([(0, 0), (1, 1)], "diagonal"),
        series,
        title="Share right by score",
        across="score of the brand named",
        up="share right",
    )


def _bin(b: Row) -> str:
    return f"scores {b['from']:.1f} to {b['to']:.1f}: {b['value']:.2f} right of {b['n']}"


def spread_chart(calibration: Mapping[str, Row]) -> Markup:
    """How many scores lie in each bin, one strip a set."""
    strip, gap = 34, 12
    x = Scale(0.0, 1.0, LEFT, WIDTH - RIGHT)
    drawn = []
    for i, (name, found) in enumerate(calibration.items()):
        base = TOP + (i + 1) * strip + i * gap
        most = max(b["n"] for b in found["bins"])
        drawn.append(tag("text", name, x=LEFT - 6, y=base - 2, class_="tick y"))
        for b in found["bins"]:
            tall = max(1.0, b["n"] / most * strip)
            left, right = x(b["from"]) + 1, x(b["to"]) - 1
            drawn.append(
                tag("rect", tag("title", _bin(b)), x=left, y=base - tall, width=right - left,
                    height=tall, class_=f"fill s{i}")
            )  # fmt: skip
    size = TOP + len(calibration) * (strip + gap)
    title = "How scores are spread"
    return tag(
        "svg", tag("title", title), drawn, view_box=f"0 0 {WIDTH} {size}", class_="plot",
        role="img", aria_label=title,
    )  # fmt: skip


def confusion_chart(found: Row) -> Markup:
    """Heat map of counts: rows are the true brand, columns the brand with the highest score. The
    tint is the share of the row."""
    brands, counts = found["brands"], found["counts"]
    longest = max((len(shortened(brand)) for brand in brands), default=0)
    left, top = 14 + 6 * longest, 18 + 5 * longest
    cell = min(30.0, (WIDTH - left - 4) / max(len(brands), 1))
    drawn: list[Markup] = []
    for i, brand in enumerate(brands):
        at = (i + 0.5) * cell
        name = shortened(brand)
        whole = tag("title", brand)
        turned = f"translate({left + at + 3:.1f} {top - 6}) rotate(-50)"
        drawn.append(tag("text", name, whole, x=left - 6, y=top + at + 4, class_="tick y"))
        drawn.append(tag("text", name, whole, x=0, y=0, class_="tick", transform=turned))
        total = sum(counts[i]) or 1
        for j, count in enumerate(counts[i]):
            if count:
                title = f"{brand} taken for {brands[j]}: {count}" if i != j else f"right: {count}"
                corner = (left + j * cell, top + i * cell)
                tint = ("same" if i == j else "other", count / total)
                drawn.append(_cell(corner, cell, str(count), tint=tint, title=title))
    size = len(brands) * cell
    box = tag("rect", x=left, y=top, width=size, height=size, class_="box")
    return tag(
        "svg", tag("title", "Brands taken for others"), box, drawn,
        view_box=f"0 0 {WIDTH} {top + size + 6:.0f}", class_="plot heat", role="img",
        aria_label="Which brands are taken for which",
    )  # fmt: skip


def _cell(
    corner: tuple[float, float], side: float, text: str, *, tint: tuple[str, float], title: str
) -> Markup:
    x, y = corner
    fill = tag(
        "rect", tag("title", title), x=x + 0.5, y=y + 0.5, width=side - 1, height=side - 1,
        class_=tint[0], fill_opacity=0.08 + 0.72 * tint[1],
    )  # fmt: skip
    return join(fill, tag("text", text, x=x + side / 2, y=y + side / 2 + 3.5, class_="count"))


def shortened(name: str, most: int = 13) -> str:
    """Cut in the middle, where names of one family differ least."""
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[-(most - 1 - head) :]}"


def bar(value: float, low: float, high: float, *, reach: float = 1.0) -> Markup:
    """A bar from 0 to `reach` with its interval, as wide as its cell."""
    start, end, wide = (100 * min(x / reach, 1.0) for x in (low, high, value))
    return tag(
        "svg",
        tag("rect", x=0, y=3, width=100, height=8, class_="track"),
        tag("rect", x=0, y=3, width=wide, height=8, class_="fill s0"),
        tag("line", x1=start, x2=end, y1=7, y2=7, class_="whisker"),
        view_box="0 0 100 14", preserve_aspect_ratio="none", class_="bar", aria_hidden="true",
    )  # fmt: skip


def change_bar(
    value: float, low: float, high: float, *, reach: float, neutral: bool = False
) -> Markup:
    """A bar either way from a middle line, for differences within ±reach."""

    def at(x: float) -> float:
        return 50 + max(-1.0, min(1.0, x / reach)) * 50

    start, end = sorted((at(0), at(value)))
    colour = "neutral" if neutral else ("better" if value > 0 else "worse")
    return tag(
        "svg",
        tag("rect", x=start, y=3, width=end - start, height=8, class_=f"fill {colour}"),
        tag("line", x1=50, x2=50, y1=0, y2=14, class_="zero"),
        tag("line", x1=at(low), x2=at(high), y1=7, y2=7, class_="whisker"),
        view_box="0 0 100 14", preserve_aspect_ratio="none", class_="bar", aria_hidden="true",
    )  # fmt: skip
