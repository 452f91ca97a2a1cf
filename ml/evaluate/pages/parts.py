"""What pages are put together from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from ml.evaluate.pages.charts import bar, shortened
from ml.evaluate.pages.markup import Content, Markup, join, tag

HERE = Path(__file__).parent
FIRST = 25  # rows of a long table before the rest is folded away


def page(title: str, *contents: Content) -> str:
    """A whole page in one file."""
    template = Template((HERE / "page.html").read_text(encoding="utf-8"))
    style = (HERE / "page.css").read_text(encoding="utf-8").strip()
    return template.substitute(title=join(title), style=style, body=join(*contents))


def panel(title: str, *contents: Content, note: str = "") -> Markup:
    said = tag("p", note, class_="quiet") if note else None
    return tag("section", tag("h2", title), said, *contents, class_="panel")


def legend(names: Sequence[str]) -> Markup:
    return tag("p", [tag("span", n, class_=f"s{i}") for i, n in enumerate(names)], class_="legend")


def headline(
    name: str, value: str, interval: Sequence[float] | None, *, of: str = "", share: bool = False
) -> Markup:
    """A figure with its interval, and what it was measured on."""
    ends = None if interval is None else tag("span", between(interval, share), class_="interval")
    of_ = tag("small", of) if of else None
    return tag("li", tag("span", name, class_="quiet"), tag("strong", value), ends, of_,
               class_="panel")  # fmt: skip


def number(value: float, share: bool = False) -> str:
    """`0.617`, or of small shares `1.14%`."""
    return f"{value:.2%}" if share else f"{value:.3f}"


def between(interval: Sequence[float], share: bool = False) -> str:
    low, high = interval
    return f"{number(low, share)} – {number(high, share)}"


def figure(found: Mapping[str, Any] | None, share: bool = False) -> Markup:
    """The cell of a figure with its interval; a dash where it was not measured."""
    if found is None:
        return tag("td", "–", class_="number")
    ends = tag("span", between((found["low"], found["high"]), share), class_="interval")
    return tag("td", number(found["value"], share), " ", ends, class_="number")


def named(name: str, most: int = 28) -> Markup:
    """The head of a row; a long name is cut in the middle, whole on hovering."""
    cut = shortened(name, most)
    return tag("th", cut, scope="row", title=name if cut != name else None)


def table(head: Sequence[Content], rows: Sequence[Markup]) -> Markup:
    """A table that scrolls by itself; what comes after the first FIRST rows is folded away.

    Args:
        head: names of the columns; all but the first and one named "" are numbers.
    """

    def body(part: Sequence[Markup]) -> Markup:
        classes = [None, *("bars" if not name else "number" for name in head[1:])]
        names = [
            tag("th", name, scope="col", class_=c) for name, c in zip(head, classes, strict=True)
        ]
        return tag(
            "div",
            tag("table", tag("thead", tag("tr", names)), tag("tbody", part)),
            class_="scroll",
        )

    rest = rows[FIRST:]
    more = tag("details", tag("summary", f"{len(rest)} more"), body(rest)) if rest else None
    return join(body(rows[:FIRST]), more)


def bar_row(
    name: str, found: Mapping[str, Any], *, share: bool = False, reach: float = 1.0
) -> Markup:
    """Name, bar up to `reach`, figure with interval, and number of images."""
    return tag(
        "tr",
        named(name),
        tag("td", bar(found["value"], found["low"], found["high"], reach=reach), class_="bars"),
        figure(found, share),
        tag("td", f"{found['n']:,}", class_="number"),
    )
