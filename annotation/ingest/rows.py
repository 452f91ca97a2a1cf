"""One image and what its source says of it, whatever the format it came in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from annotation.ingest.decode import Refusal
from annotation.models.label import Answer, Risk, Variation

ANSWERS = (Answer.BRAND, Answer.NONE, Answer.OTHER)
TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
RELATIVE = (1, 1)  # a frame whose boxes are shares of the image's sides


@dataclass(frozen=True)
class Box:
    """A mark: corners in the row's frame and the brand as the source calls it."""

    x1: float
    y1: float
    x2: float
    y2: float
    brand: str


@dataclass(frozen=True)
class Row:
    """What the source says. Empty = says nothing; `boxes` None = not boxed, () = none there.

    Attributes:
        name: the file as the source names it, for messages.
        frame: width and height that the boxes refer to (RELATIVE: shares); None: the image's own.
    """

    name: str
    path: Path
    product: str = ""
    brand: str = ""
    title: str = ""
    category: str = ""
    merchant: str = ""
    price: Decimal | None = None
    answer: str = ""
    variation: str = ""
    has_logo: bool | None = None
    risk: str = ""
    attack: str = ""
    boxes: tuple[Box, ...] | None = None
    frame: tuple[float, float] | None = None

    def brand_names(self) -> set[str]:
        return ({self.brand} | {box.brand for box in self.boxes or ()}) - {""}


@dataclass(frozen=True)
class RefusedRow:
    """A line of the source that cannot be used."""

    name: str
    reason: str


class Source(Protocol):
    """A folder in one of the formats; may be iterated more than once."""

    def __iter__(self) -> Iterator[Row | RefusedRow]: ...


@dataclass(frozen=True)
class Showing:
    """A source of which it is known that its images show one brand. Rows that say something of
    brands themselves keep it.

    Attributes:
        brand: by any of its names.
    """

    source: Source
    brand: str

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for row in self.source:
            if isinstance(row, Row) and not (row.answer or row.brand_names()):
                yield replace(row, brand=self.brand, answer=Answer.BRAND)
            else:
                yield row


def locate(directory: Path, name: str, folders: tuple[str, ...] = ("", "images")) -> Path:
    """The file `name` in `directory` or one of its `folders`; `directory` is resolved.

    Raises:
        Refusal: the name leads out of the directory, by dots or links. (A file that is not there
            is found missing when it is read.)
    """
    if not name:
        raise Refusal("no file named")
    try:
        paths = [_resolved(directory / folder / name) for folder in folders]
        if not all(path.is_relative_to(directory) for path in paths):
            raise Refusal("leads out of the folder")
        return next((path for path in paths if path.exists()), paths[0])
    except (ValueError, OSError, RuntimeError) as error:  # a NUL, too long, a loop of links
        raise Refusal(f"not a usable path: {error}"[:200]) from error


def _resolved(path: Path) -> Path:
    """The path without links. Folders are resolved once: they hold thousands of files."""
    if path.name in ("", ".."):
        return path.resolve()
    resolved = _resolved_folder(path.parent) / path.name
    return resolved.resolve() if resolved.is_symlink() else resolved


_resolved_folder = lru_cache(maxsize=4096)(Path.resolve)


def short(value: str, most: int, what: str) -> str:
    """`value`, or a Refusal when it is longer than its column."""
    if len(value) > most:
        raise Refusal(f"{what} longer than {most} characters")
    return value


def choice(value: str, allowed: tuple[str, ...], what: str) -> str:
    """`value`, or a Refusal when it is none of `allowed` and not empty."""
    if value and value not in allowed:
        raise Refusal(f"unknown {what} {value[:40]!r}")
    return value


def answer(value: str) -> str:
    """brand, none or other; `unlabelled` says nothing."""
    return choice("" if value == "unlabelled" else value, ANSWERS, "answer")


def variation(value: str) -> str:
    return choice(value, tuple(Variation.values), "variation")


def risk(value: str) -> str:
    return choice(value, tuple(Risk.values), "risk")


def truth(value: str, what: str) -> bool | None:
    if not value:
        return None
    if value.lower() not in TRUTHS:
        raise Refusal(f"{what} is {value[:40]!r}; expected 1 or 0")
    return TRUTHS[value.lower()]


def price(value: str) -> Decimal | None:
    if not value:
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise Refusal(f"price {value[:40]!r} is not a number") from error
    if not amount.is_finite() or abs(amount) >= 10**10:
        raise Refusal(f"price {value[:40]!r} is out of range")
    return amount


def number(value: str, what: str) -> float:
    """A finite number."""
    try:
        result = float(value)
    except ValueError as error:
        raise Refusal(f"{what} {value[:40]!r} is not a number") from error
    if not -1e9 < result < 1e9:
        raise Refusal(f"{what} {value[:40]!r} is out of range")
    return result


def fit_boxes(row: Row, width: int, height: int) -> list[Box] | None:
    """The row's boxes in pixels of the upright image, cut at its edges.

    Raises:
        Refusal: they refer to an image of another shape, or one has no area inside this one.
    """
    if row.boxes is None:
        return None
    across, down = row.frame or (width, height)
    if across <= 0 or down <= 0:
        raise Refusal(f"boxes refer to an image of {across:g} x {down:g}")
    # Boxes of a copy of another size fit by scaling; of another shape they are of another picture.
    if row.frame != RELATIVE and abs(width * down - height * across) > max(across, down):
        raise Refusal(
            f"boxes refer to {across:g} x {down:g} pixels, the image has {width} x {height}"
        )
    x, y = width / across, height / down
    fitted = []
    for box in row.boxes:
        inside = Box(
            round(min(max(box.x1 * x, 0.0), width), 2),
            round(min(max(box.y1 * y, 0.0), height), 2),
            round(min(max(box.x2 * x, 0.0), width), 2),
            round(min(max(box.y2 * y, 0.0), height), 2),
            box.brand,
        )
        if inside.x2 <= inside.x1 or inside.y2 <= inside.y1:
            raise Refusal("a box without area inside the image")
        fitted.append(inside)
    return fitted
