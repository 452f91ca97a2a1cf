"""The real images' tables, read the same way by all benchmarks: DATA holds `products/`
(products.csv, weak brand names), `openset/` and `flickrlogos27/` (boxes.csv)."""

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from django.utils.text import slugify

MIN_IMAGES = 40  # a brand with fewer pictures stays off the list
COLOURS = (
    "black|white|blue|red|green|grey|gray|brown|pink|purple|yellow|orange|beige|navy|maroon|"
    "olive|cream|khaki|charcoal|silver|gold|tan|off|magenta|lavender|multi|melange|steel|teal|"
    "turquoise|peach|mustard|rust|burgundy|bronze|copper|coffee|mushroom|nude|sea|rose|skin"
)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as table:
        return list(csv.DictReader(table))


def listed_brands(products: Sequence[dict[str, str]]) -> set[str]:
    """Keys of the brands with enough product images."""
    counts = Counter(slugify(row["brand"]) for row in products)
    return {brand for brand, count in counts.items() if count >= MIN_IMAGES}


def style(row: dict[str, str]) -> str:
    """Brand and title without colour words: variants of one product share it."""
    words = re.sub(rf"\b({COLOURS})\b", " ", row["title"].lower())
    return " ".join([slugify(row["brand"]), *words.split()])


def draw(seed: int, key: str) -> float:
    """A number in [0, 1) that follows from seed and key alone."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:6], "big") / 2**48


def boxes_by_file(flickr: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of `boxes.csv` by the photo they are in."""
    found = defaultdict(list)
    for row in read_table(flickr / "boxes.csv"):
        found[row["file"]].append(row)
    return dict(found)


def box(row: dict[str, str]) -> dict:
    """A row of `boxes.csv` as a manifest's box."""
    sides = {side: float(row[side]) for side in ("x1", "y1", "x2", "y2")}
    return sides | {"brand": slugify(row["brand"])}
