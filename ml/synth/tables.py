"""The CSV files of a world: what the platform is told about each folder, and no more."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.synth.brands import Brand
from ml.synth.commerce import Merchant

_PRODUCT = ("id", "file", "brand", "title", "category", "article_type", "merchant", "price")
_TRUSTED = ("answer", "variation", "has_logo", "risk", "attack", "product")
_TITLE = ("sha256", "title_brand", "title_form", "title_way")
_BOX = ("file", "brand", "x1", "y1", "x2", "y2", "width", "height")

# Trusted columns by folder: what is known there without asking anybody.
_KNOWN = {
    "train": (),
    "detection": ("answer", "variation"),
    "variation": ("variation",),
    "pool": (),
    "closed": ("answer", "variation", "has_logo"),
    "open": ("variation",),
    "business": ("answer", "variation", "has_logo", "risk", "attack"),
    "audit": ("answer", "variation", "has_logo", "risk", "attack"),
}
_BOXED = ("detection", "closed", "business", "audit")


def write_folder_tables(folder: str, rows: Sequence[Mapping[str, Any]], directory: Path) -> None:
    """Write a folder's `products.csv`, and its `boxes.csv` where boxes are known."""
    lines = (_product_line(folder, row) for row in rows)
    _write(directory / "products.csv", (*_PRODUCT, *_TRUSTED), lines)
    if folder in _BOXED:
        boxes = (line for row in rows for line in _box_lines(row))
        _write(directory / "boxes.csv", _BOX, boxes)


def write_title_truth(rows: Sequence[Mapping[str, Any]], directory: Path) -> None:
    """Write `titles.csv`: how each title tells the brand. Apart from all that training reads."""
    _write(directory / "titles.csv", _TITLE, ({name: row[name] for name in _TITLE} for row in rows))


def write_merchants(merchants: list[Merchant], brands: list[Brand], directory: Path) -> None:
    """Write `merchants.csv` and `qualifications.csv`."""
    _write(
        directory / "merchants.csv",
        ("merchant", "name"),
        ({"merchant": m.key, "name": m.name} for m in merchants),
    )
    licences = (
        {
            "merchant": m.key,
            "brand": brands[licence.brand].key,
            "valid_from": licence.valid_from.isoformat(),
            "valid_to": licence.valid_to.isoformat(),
        }
        for m in merchants
        for licence in m.licences
    )
    columns = ("merchant", "brand", "valid_from", "valid_to")
    _write(directory / "qualifications.csv", columns, licences)


def _product_line(folder: str, row: Mapping[str, Any]) -> dict[str, Any]:
    line = {name: row[name] for name in _PRODUCT if name not in ("id", "brand", "price")}
    line |= {
        "id": f"{folder}-{row['file'].removesuffix('.jpg')}",
        "price": f"{row['price']:.2f}",
        "product": row["product"],
    }
    known = {name: row[name] for name in _KNOWN[folder]}
    if "has_logo" in known:
        known["has_logo"] = int(known["has_logo"])
    if folder == "train":
        # The product table's word: which brand it is sold as, or that it has none.
        line["brand"] = row["weak_brand"]
        known["answer"] = "" if row["weak_brand"] else "none"
    elif "answer" in known:
        line["brand"] = row["brand"]
    return line | known


def _box_lines(row: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    size = {"file": row["file"], "width": row["width"], "height": row["height"]}
    if not row["boxes"]:
        yield size
    for box in row["boxes"]:
        sides = {side: f"{box[side]:.1f}" for side in ("x1", "y1", "x2", "y2")}
        yield size | {"brand": box["brand"]} | sides


def _write(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)
