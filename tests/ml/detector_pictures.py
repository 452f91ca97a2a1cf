"""Pictures with one coloured square a brand, easy enough to be learned in seconds."""

from pathlib import Path

import numpy as np
from PIL import Image

from ml.manifest import Manifest, write_manifest

COLOURS = {"blau": (40, 60, 220), "rot": (220, 40, 40), "gelb": (230, 200, 40)}


def draw(rng: np.random.Generator, brand: str | None, *, wide: int = 96, high: int = 64):
    """A picture and its box (None without a brand)."""
    pixels = rng.integers(120, 180, (high, wide, 3)).astype(np.uint8)
    if brand is None:
        return Image.fromarray(pixels), None
    side = int(rng.integers(18, 30))
    x, y = int(rng.integers(0, wide - side)), int(rng.integers(0, high - side))
    pixels[y : y + side, x : x + side] = COLOURS[brand]
    return Image.fromarray(pixels), (x, y, x + side, y + side)


def make_manifest(
    folder: Path, *, images: int = 24, seed: int = 0, brands: tuple[str, ...] = ("blau", "rot")
) -> Manifest:
    """`images` boxed rows, a quarter as many looked at and empty, and one never looked at."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [brands[i % len(brands)] for i in range(images)] + [None] * (images // 4)
    rows = []
    for i, brand in enumerate(wanted):
        image, box = draw(rng, brand)
        rows.append(_row(folder, image, i, brand=brand))
        rows[-1]["boxes"] = [_box(box, brand)] if brand else []
    image, _ = draw(rng, brands[0])
    rows.append(_row(folder, image, len(rows), brand=brands[0]))
    return write_manifest(rows, folder)


def _row(folder: Path, image: Image.Image, number: int, *, brand: str | None) -> dict:
    image.save(folder / f"{number}.png")
    return {
        "image": f"{number}.png",
        "sha256": f"{number:064x}",
        "answer": "brand" if brand else "none",
        "brand": brand,
        "split": "train",
        "group": f"g{number}",
    }


def _box(corners: tuple[int, int, int, int], brand: str) -> dict:
    return dict(zip(("x1", "y1", "x2", "y2"), map(float, corners), strict=True)) | {"brand": brand}
