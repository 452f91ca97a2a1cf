"""Titles as one page: green characters speak for the brand, red ones against it, and the names of
brands found in them are named below."""

from collections.abc import Sequence

from ml.evaluate.pages.markup import Markup, tag
from ml.evaluate.pages.parts import page, panel
from ml.explain.titles import TitleReasons

_FOR, _AGAINST = "46 160 67", "215 58 58"


def titles_page(titles: Sequence[str], reasons: Sequence[TitleReasons]) -> str:
    """A page of `explain_titles`."""
    return page(
        "Titles explained",
        tag("header", tag("h1", "What in these titles speaks for a brand"), class_="head"),
        [_title(title, why) for title, why in zip(titles, reasons, strict=True)],
    )


def _title(title: str, why: TitleReasons) -> Markup:
    most = max([1.0, *(abs(float(says)) for says in why.characters)])
    characters = [
        tag("span", character, style=_tint(float(says) / most), title=f"{says:+.2f}")
        for character, says in zip(title, why.characters, strict=True)
    ]
    names = [
        tag("li", f"“{span.written}” is {span.brand} ({span.way}), characters {span.start + 1} "
            f"to {span.end}")
        for span in why.spans
    ]  # fmt: skip
    said = (
        f"{why.score:.3f}; log odds against no brand {why.log_odds:+.2f}, of which "
        f"{why.rest:+.2f} from no character"
    )
    return panel(
        why.label,
        tag("p", characters, style="font-size: 22px; letter-spacing: 1px"),
        tag("ul", names) if names else tag("p", "No brand's name was found.", class_="quiet"),
        note=said,
    )


def _tint(share: float) -> str | None:
    """Background of a character that says `share`, in -1..1, of the most that one says."""
    if abs(share) < 0.02:
        return None
    return f"background: rgb({_FOR if share > 0 else _AGAINST} / {0.75 * abs(share):.2f})"
