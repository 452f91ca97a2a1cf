"""The frame of a plot: scales, grid and labels, as SVG of one size that scales to its panel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ml.evaluate.pages.markup import Markup, join, tag

WIDTH, HEIGHT = 400, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 10, 38


@dataclass(frozen=True)
class Scale:
    """Data to pixels along one side. Values out of range are drawn at its end."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        value = min(max(value, low), high)
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


@dataclass(frozen=True)
class Plot:
    x: Scale
    y: Scale

    def line(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        return tag("polyline", points=self._path(points), class_=class_)

    def area(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        return tag("polygon", points=self._path(points), class_=class_)

    def _path(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)

    def whisker(self, x: float, low: float, high: float, class_: str) -> Markup:
        """A vertical interval."""
        at = self.x(x)
        return tag("line", x1=at, x2=at, y1=self.y(low), y2=self.y(high), class_=class_)

    def dot(self, x: float, y: float, class_: str, *, title: str, radius: float = 3.5) -> Markup:
        shape = tag("title", title)
        return tag("circle", shape, cx=self.x(x), cy=self.y(y), r=radius, class_=class_)

    def note(self, x: float, y: float, text: str, *, dx: float = 6, dy: float = -6) -> Markup:
        """Text beside a point, on its left where there is no room on the right."""
        room = self.x(x) + dx + 6 * len(text) < WIDTH
        at = self.x(x) + dx if room else self.x(x) - dx
        anchor = None if room else "end"
        return tag("text", text, x=at, y=self.y(y) + dy, class_="note", text_anchor=anchor)


def share_plot(
    *, x: Scale | None = None, top: float = 1.0, bottom: float = 0.0, height: int = HEIGHT
) -> Plot:
    """A plot whose axes are shares, from 0 to 1 where not said otherwise."""
    across = x or Scale(0.0, 1.0, LEFT, WIDTH - RIGHT)
    return Plot(across, Scale(bottom, top, height - BOTTOM, TOP))


def ratio_scale(lowest: float, highest: float = 1.0) -> Scale:
    """A logarithmic scale of flag ratios, from the power of ten at or below `lowest`."""
    low = 10.0 ** math.floor(math.log10(max(lowest, 1e-6)) + 1e-9)
    return Scale(low, max(highest, 10 * low), LEFT, WIDTH - RIGHT, logarithmic=True)


def frame(plot: Plot, *contents: object, title: str, across: str, up: str) -> Markup:
    """The SVG, with grid, ticks, the names of both axes, and what is drawn."""
    return tag(
        "svg",
        tag("title", title),
        _grid(plot),
        *contents,
        tag("text", across, x=(LEFT + WIDTH - RIGHT) / 2, y=plot.y.start + 32, class_="axis"),
        tag("text", up, x=0, y=0, class_="axis up", transform=_turned(plot)),
        view_box=f"0 0 {WIDTH} {plot.y.start + BOTTOM:.0f}",
        class_="plot",
        role="img",
        aria_label=title,
    )


def _turned(plot: Plot) -> str:
    return f"translate(11 {(plot.y.start + plot.y.end) / 2:.0f}) rotate(-90)"


def _grid(plot: Plot) -> Markup:
    lines = []
    for value in _ticks(plot.x):
        at = plot.x(value)
        lines.append(tag("line", x1=at, x2=at, y1=plot.y.start, y2=plot.y.end, class_="grid"))
        lines.append(tag("text", percent(value), x=at, y=plot.y.start + 15, class_="tick x"))
    for value in _ticks(plot.y):
        at = plot.y(value)
        lines.append(tag("line", x1=plot.x.start, x2=plot.x.end, y1=at, y2=at, class_="grid"))
        lines.append(tag("text", percent(value), x=LEFT - 6, y=at + 3.5, class_="tick y"))
    return join(lines)


def _ticks(scale: Scale) -> list[float]:
    if scale.logarithmic:
        decades = range(round(math.log10(scale.low)), math.floor(math.log10(scale.high)) + 1)
        return [10.0**power for power in decades]
    step = next(s for s in (0.05, 0.1, 0.2, 0.25) if (scale.high - scale.low) / s <= 5.01)
    count = round((scale.high - scale.low) / step)
    return [scale.low + i * step for i in range(count + 1)]


def percent(value: float) -> str:
    """`5%`, `0.5%`, `0.01%`: as many digits as tell it."""
    return f"{value * 100:.10g}%" if value < 0.01 else f"{value * 100:.0f}%"
