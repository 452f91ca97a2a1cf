"""Logos cut out of boxed pictures."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from ml.artifact import file_sha256
from ml.errors import Cancelled, InputError
from ml.files import new_folder
from ml.images import cut_out, image_paths, open_image, read_ahead
from ml.manifest import Manifest, read_manifest, write_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress

# Sides of a crop where nothing is boxed, as a share of the picture's.
_EMPTY = (0.1, 0.5)


def boxed_rows(manifest: Manifest) -> pa.Table:
    """The training rows that were looked at for boxes.

    Raises:
        InputError: none of them has a box.
    """
    table = manifest.rows("train")
    table = table.filter(pc.is_valid(table["boxes"]))
    if not any(table["boxes"].to_pylist()):
        raise InputError(f"{manifest.path}: no boxes in split train")
    return table


def crops(manifest: Manifest, table: pa.Table) -> Iterator[tuple[str | None, str, Image.Image]]:
    """Brand, group and picture of every box; where a row has none, of one random part of its
    picture (drawn from its sha256), with None for the brand."""
    paths = image_paths(manifest, table["image"].to_pylist())
    rows = table.select(["boxes", "group", "sha256", "image"]).to_pylist()
    for row, image in zip(rows, read_ahead(open_image, paths), strict=True):
        group = row["group"] or row["sha256"] or row["image"]
        for box in row["boxes"]:
            yield box["brand"], group, cut_out(image, (box["x1"], box["y1"], box["x2"], box["y2"]))
        if not row["boxes"]:
            yield None, group, _random_part(image, row["sha256"] or row["image"])


def write_crops(
    *, manifest: Path, out: Path, progress: Progress, should_stop: ShouldStop
) -> Manifest:
    """Write every box of split train as a picture of its own, with a manifest to train a
    classifier of logos on. `out` appears whole or not at all.

    Raises:
        InputError: there are no boxes, an image cannot be read, or `out` is not empty.
        Cancelled: `should_stop` became true.
    """
    data = read_manifest(manifest)
    table = boxed_rows(data)
    with new_folder(out) as draft:
        rows: list[dict[str, Any]] = []
        for brand, group, picture in crops(data, table):
            if should_stop():
                raise Cancelled
            rows.append(_written(picture, brand, group, draft / f"{len(rows):06d}.png"))
            if len(rows) % 100 == 0:
                progress.report("cut out", min(1.0, len(rows) / len(table)))
        write_manifest(rows, draft)
    return read_manifest(out)


def _written(picture: Image.Image, brand: str | None, group: str, path: Path) -> dict[str, Any]:
    picture.save(path)
    return {
        "image": path.name,
        "sha256": file_sha256(path),
        "answer": "none" if brand is None else "brand",
        "brand": brand,
        "split": "train",
        "group": group,
    }


def _random_part(image: Image.Image, key: str) -> Image.Image:
    seed = int.from_bytes(hashlib.sha256(f"part:{key}".encode()).digest()[:8])
    rng = np.random.default_rng(seed)
    width, height = rng.uniform(*_EMPTY, 2) * image.size
    left, top = rng.uniform(0, 1, 2) * (image.width - width, image.height - height)
    return cut_out(image, (left, top, left + width, top + height), margin=0.0)
