"""Manifests of the real images, for the models alone: splits by group, and titles that tell the
brand in three ways."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.text import slugify
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from annotation.ingest.decode import read_picture
from benchmarks.real_rows import box, boxes_by_file, draw, listed_brands, read_table, style
from ml import phash
from ml.artifact import file_sha256
from ml.synth.disguise import disguise_latin


def products_table(data: Path) -> Path:
    return data / "products" / "products.csv"


def products(data: Path, *, named: bool = True) -> list[dict[str, Any]]:
    """A manifest row a product image, without a split; `group` joins near-duplicates. An image of
    a brand off the list that is one of a listed brand's group is left out: it would be on both
    sides.

    Args:
        named: titles have their brand's name in them, as they were written.
    """
    table = read_table(products_table(data))
    on_list = listed_brands(table)
    files = [data / "products" / "images" / row["file"] for row in table]
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(read_picture, files))
    groups = _groups([style(row) for row in table], [picture.phash for picture in pictures])
    rows = []
    for row, file, group in zip(table, files, groups, strict=True):
        brand = slugify(row["brand"])
        rows.append(
            {
                "image": str(file),
                "sha256": file_sha256(file),
                "title": row["title"] if named else without(row["title"], row["brand"]),
                "answer": "brand" if brand in on_list else "other",
                "brand": brand if brand in on_list else None,
                "group": f"g{group}",
                "source": "products" if brand in on_list else "off_list",
            }
        )
    shared = {row["group"] for row in rows if row["answer"] == "brand"}
    return [row for row in rows if row["answer"] == "brand" or row["group"] not in shared]


def _groups(styles: list[str], hashes: list[bytes]) -> np.ndarray:
    """[n]: one number for all that are joined by a style or by hashes near each other."""
    digests = phash.as_array(hashes)
    first: dict[str, int] = {}
    pairs = [(i, first.setdefault(name, i)) for i, name in enumerate(styles)]
    for i, digest in enumerate(digests):
        near = np.flatnonzero(phash.distances(digests[:i], digest) <= phash.RADIUS)
        pairs += [(i, int(other)) for other in near]
    ones, others = zip(*pairs, strict=True)
    graph = coo_array((np.ones(len(pairs)), (ones, others)), shape=(len(styles), len(styles)))
    return np.asarray(connected_components(graph, directed=False)[1])


def placed(row: dict[str, Any], seed: int) -> dict[str, Any]:
    """Of a listed brand a fifth is closed and a tenth calibrates; of the others half is open."""
    drawn = draw(seed, row["group"])
    if row["answer"] == "brand":
        return row | {"split": "closed" if drawn < 0.2 else "val" if drawn < 0.3 else "train"}
    return row | {"split": "open" if drawn < 0.5 else "train"}


def openset(data: Path) -> list[dict[str, Any]]:
    """Ordinary clothes. Nobody was asked for a brand; hardly any shows one."""
    files = [
        data / "openset" / "images" / row["file"]
        for row in read_table(data / "openset" / "openset.csv")
    ]
    return [
        {
            "image": str(file),
            "sha256": file_sha256(file),
            "answer": "none",
            "source": "openset",
            "split": "open",
        }
        for file in files
    ]


def photos(data: Path, seed: int) -> list[dict[str, Any]]:
    """A manifest row a photo with boxes, a quarter of them closed."""
    rows = []
    for file, boxes in boxes_by_file(data / "flickrlogos27").items():
        path = data / "flickrlogos27" / "images" / file
        brands = list(dict.fromkeys(slugify(row["brand"]) for row in boxes))
        rows.append(
            {
                "image": str(path),
                "sha256": file_sha256(path),
                "answer": "brand",
                "brand": brands[0],
                "also": brands[1:],
                "boxes": [box(row) for row in boxes],
                "split": "closed" if draw(seed, file) < 0.25 else "train",
            }
        )
    return rows


def write_brands(folder: Path, goods: list[dict[str, Any]], names: dict[str, str]) -> Path:
    """The list of brands that the text model looks for."""
    keys = sorted({row["brand"] for row in goods if row["brand"]})
    listed = [{"key": key, "name_en": names[key], "name_zh": "", "aliases": []} for key in keys]
    path = folder / "brands.json"
    path.write_text(json.dumps(listed))
    return path


def without(title: str, name: str) -> str:
    """The title with the name taken out."""
    return " ".join(re.sub(re.escape(name), " ", title, flags=re.IGNORECASE).split())


def _disguised(title: str, name: str, rng: np.random.Generator) -> str:
    spelt = disguise_latin(rng, name)
    return re.sub(re.escape(name), lambda _: spelt, title, flags=re.IGNORECASE)


# How a test title tells its brand: as it was written, without the name, the name disguised.
FORMS: dict[str, Callable[[str, str, np.random.Generator], str]] = {
    "named": lambda title, name, rng: title,
    "disguised": _disguised,
    "absent": lambda title, name, rng: without(title, name),
}


def titled(
    row: dict[str, Any],
    change: Callable[[str, str, np.random.Generator], str],
    names: dict[str, str],
    seed: int,
) -> dict[str, Any]:
    """The row with its brand told in another way where it tests or calibrates; what trains the
    text model stays as it is."""
    if row["split"] == "train" or row["answer"] != "brand":
        return row
    rng = np.random.default_rng([seed, int(row["sha256"][:8], 16)])
    return row | {"title": change(row["title"], names[row["brand"]], rng)}
