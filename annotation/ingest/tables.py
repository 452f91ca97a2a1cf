"""Folders described by CSV files: products.csv, boxes.csv, openset.csv."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from annotation.ingest import rows
from annotation.ingest.decode import Refusal
from annotation.ingest.rows import Box, RefusedRow, Row
from ml.errors import InputError


def read_csv(path: Path, required: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The lines of a CSV file as dicts of stripped texts; a missing cell is empty.

    Raises:
        InputError: the file is missing, is not UTF-8 or CSV, or lacks a required column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from csv_lines(file, required, place=str(path))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def csv_lines(
    text: Iterable[str], required: tuple[str, ...], *, place: str
) -> Iterator[dict[str, str]]:
    """As `read_csv`, of lines of text from `place`."""
    try:
        reader = csv.DictReader(text)
        missing = set(required) - set(reader.fieldnames or ())
        if missing:
            raise InputError(f"{place}: no column {sorted(missing)[0]!r}")
        for line in reader:
            # PostgreSQL stores no NUL in a text.
            yield {
                name: (value or "").replace("\0", "").strip()
                for name, value in line.items()
                if isinstance(name, str)
            }
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{place}: not a CSV file in UTF-8: {error}") from error


class ProductTable:
    """`products.csv`, with the boxes of a `boxes.csv` beside it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        boxes = directory / "boxes.csv"
        self._boxes = read_boxes(boxes) if boxes.exists() else {}

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for line in read_csv(self._directory / "products.csv", ("file", "brand")):
            try:
                yield self._row(line)
            except Refusal as refusal:
                yield RefusedRow(line["file"], str(refusal))

    def _row(self, line: dict[str, str]) -> Row:
        row = product_row(line, name=line["file"], path=rows.locate(self._directory, line["file"]))
        boxes, frame = boxes_of(self._boxes.get(line["file"]))
        return replace(row, boxes=boxes, frame=frame)


class BoxTable:
    """`boxes.csv` alone: a box is also the word that its brand is in the picture."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._boxes = read_boxes(directory / "boxes.csv")

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for name, lines in self._boxes.items():
            try:
                boxes, frame = boxes_of(lines)
                path = rows.locate(self._directory, name)
                yield boxed_row(name=name, path=path, boxes=boxes, frame=frame)
            except Refusal as refusal:
                yield RefusedRow(name, str(refusal))


class GarmentTable:
    """`openset.csv`: ordinary pictures of which only the garment is known."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __iter__(self) -> Iterator[Row | RefusedRow]:
        for line in read_csv(self._directory / "openset.csv", ("file", "garment")):
            try:
                yield Row(
                    name=line["file"],
                    path=rows.locate(self._directory, line["file"]),
                    product=rows.short(line["file"], 120, "file name"),
                    category=rows.short(line["garment"], 120, "garment"),
                )
            except Refusal as refusal:
                yield RefusedRow(line["file"], str(refusal))


def product_row(line: Mapping[str, str], *, name: str, path: Path, key: str = "") -> Row:
    """What a line with the columns of `products.csv` says; a missing column says nothing.

    Args:
        key: the product's where the line gives none; by default the file's name.

    Raises:
        Refusal: a value cannot be.
    """

    def get(column: str) -> str:
        return line.get(column, "")

    kinds = [get("category"), get("article_type")]
    if get("answer") == "brand" and not get("brand"):
        raise Refusal("answer is brand, but no brand is given")
    return Row(
        name=name,
        path=path,
        product=rows.short(get("product") or get("id") or key or name, 120, "product"),
        brand=rows.short(get("brand"), 120, "brand"),
        title=get("title"),
        category=rows.short(" > ".join(filter(None, kinds)), 120, "category"),
        merchant=rows.short(get("merchant"), 120, "merchant"),
        price=rows.price(get("price")),
        answer=rows.answer(get("answer")),
        variation=rows.variation(get("variation")),
        has_logo=rows.truth(get("has_logo"), "has_logo"),
        risk=rows.risk(get("risk")),
        attack=rows.short(get("attack"), 30, "attack"),
    )


def boxed_row(
    *,
    name: str,
    path: Path,
    boxes: tuple[Box, ...] | None,
    frame: tuple[float, float] | None = None,
) -> Row:
    """A row known by its boxes only: the brand with most of the boxed area is its answer."""
    areas: dict[str, float] = defaultdict(float)
    for box in boxes or ():
        areas[rows.short(box.brand, 120, "brand")] += (box.x2 - box.x1) * (box.y2 - box.y1)
    brand = max(sorted(areas), key=areas.__getitem__, default="")
    answer = "brand" if brand else ""
    return Row(name=name, path=path, brand=brand, answer=answer, boxes=boxes, frame=frame)


def read_boxes(path: Path) -> dict[str, list[dict[str, str]]]:
    """The lines of a `boxes.csv` by file, in the order of their first mention."""
    by_file: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in read_csv(path, ("file", "brand", "x1", "y1", "x2", "y2")):
        by_file[line["file"]].append(line)
    return by_file


def boxes_of(
    lines: list[dict[str, str]] | None,
) -> tuple[tuple[Box, ...] | None, tuple[float, float] | None]:
    """The boxes of one file and the frame they are in. A line without brand and numbers says that
    somebody looked and found none.

    Raises:
        Refusal: a number is missing or is none.
    """
    if lines is None:
        return None, None
    boxes = []
    for line in lines:
        sides = [line[side] for side in ("x1", "y1", "x2", "y2")]
        if not line["brand"] and not any(sides):
            continue
        if not line["brand"]:
            raise Refusal("a box without a brand")
        x1, y1, x2, y2 = (rows.number(side, "box side") for side in sides)
        boxes.append(Box(x1, y1, x2, y2, line["brand"]))
    width, height = lines[0].get("width", ""), lines[0].get("height", "")
    if not width or not height:
        return tuple(boxes), None
    return tuple(boxes), (rows.number(width, "width"), rows.number(height, "height"))
