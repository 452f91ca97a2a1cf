"""A world's training labels with wrong ones among them that are known: those of its own product
table, and others drawn."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageEnhance

from ml.artifact import file_sha256
from ml.manifest import SCHEMA, Manifest, rebased, write_manifest

# Shares of the rows that show a brand.
CONFUSED = 0.06  # labelled as one other brand, always the same one a brand
MISSED = 0.10  # labelled none
COPIED = 0.06  # have a copy from another seller
CONTRADICTED = 0.5  # of the copies: confused or missed
CAUSES = ("weak", "confused", "missed", "copy")


@dataclass(frozen=True)
class WrongLabels:
    """Twice the same rows in the same order.

    Attributes:
        given: with the wrong labels.
        true: with the right ones.
        cause: by image why its given label is wrong; one of CAUSES.
        original: by image of a copy, that of its original.
    """

    given: Manifest
    true: Manifest
    cause: dict[str, str]
    original: dict[str, str]


@dataclass(frozen=True)
class _Mistakes:
    """By catalogue image the brand it is sold as, and by brand the one it is mistaken for."""

    sold_as: dict[str, str]
    mistaken_for: dict[str, str]

    def said(self, row: dict[str, Any], why: str) -> dict[str, Any]:
        """What the given row says instead of the truth."""
        if why == "weak":
            return {"answer": "brand", "brand": self.sold_as[Path(row["image"]).name]}
        if why == "confused":
            return {"brand": self.mistaken_for[row["brand"]], "boxes": None}
        if why == "missed":
            return {"answer": "none", "brand": None, "boxes": None}
        return {}


def give_wrong_labels(world: Manifest, folder: Path, *, seed: int) -> WrongLabels:
    """Write both manifests and the copies' pictures into `folder`.

    Weak labels are the world's own: catalogue pictures sold as a brand that they do not show.
    """
    rng = np.random.default_rng([seed, 20])
    (folder / "given").mkdir(parents=True, exist_ok=True)
    here = world.path.parent
    rows = rebased(world.table, before=here, after=folder / "given").to_pylist()
    mistakes = _Mistakes(
        _sold_as(here / "train" / "products.csv"),
        _shifted(rng.permutation(sorted({row["brand"] for row in rows} - {None})).tolist()),
    )
    true, given = [], []
    cause: dict[str, str] = {}
    original: dict[str, str] = {}

    def add(row: dict[str, Any], why: str) -> None:
        true.append(row)
        given.append(row | mistakes.said(row, why))
        if why:
            cause[row["image"]] = "copy" if row["image"] in original else why

    for row in rows:
        if row["split"] != "train" or row["answer"] != "brand":
            sold_as = mistakes.sold_as.get(Path(row["image"]).name)
            add(row, "weak" if row["source"] == "train" and sold_as else "")
            continue
        draw = rng.random()
        add(row, "confused" if draw < CONFUSED else "missed" if draw < CONFUSED + MISSED else "")
        if rng.random() < COPIED:
            copy = _copy(row, folder, rng)
            original[copy["image"]] = row["image"]
            draw = rng.random() / CONTRADICTED
            add(copy, "confused" if draw < 0.5 else "missed" if draw < 1 else "")
    # They lie side by side, so that paths relative to one hold for the other.
    return WrongLabels(
        given=write_manifest(pa.Table.from_pylist(given, schema=SCHEMA), folder / "given"),
        true=write_manifest(pa.Table.from_pylist(true, schema=SCHEMA), folder / "true"),
        cause=cause,
        original=original,
    )


def _shifted(order: list[str]) -> dict[str, str]:
    """Each to the next: none is its own."""
    return dict(zip(order, order[1:] + order[:1], strict=True))


def _sold_as(path: Path) -> dict[str, str]:
    """By file the brand the product table names, "" for none."""
    with path.open(newline="", encoding="utf-8") as source:
        return {line["file"]: line["brand"] for line in csv.DictReader(source)}


def _copy(row: dict[str, Any], folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Another seller's picture of the same: cut by up to 2 %, a little brighter or darker, saved
    anew; a group of its own, as before anybody noticed."""
    with Image.open(folder / "given" / row["image"]) as picture:
        width, height = picture.size
        left, top, right, bottom = (
            rng.uniform(0, 0.01, 4) * [width, height, width, height]
        ).tolist()
        cut = picture.crop((round(left), round(top), round(width - right), round(height - bottom)))
        changed = ImageEnhance.Brightness(cut).enhance(rng.uniform(0.93, 1.07))
    name = f"copy-of-{Path(row['image']).parent.name}-{Path(row['image']).name}"
    path = folder / "copies" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    changed.save(out, "JPEG", quality=int(rng.integers(60, 92)))
    path.write_bytes(out.getvalue())
    return row | {
        "image": f"../copies/{name}",
        "sha256": file_sha256(path),
        "group": f"copy-{name}",
    }
