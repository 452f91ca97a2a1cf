"""Pictures, and what sellers do to them so that a copy is not known again."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from ml.manifest import Manifest

CHANGES = ("cropped", "resized", "recoloured", "mirrored", "bordered")
COLOURS = ((255, 255, 255), (0, 0, 0), (220, 30, 40))


def originals(world: Manifest) -> list[Image.Image]:
    """One picture of each group of a generated pool: no two are of one scene."""
    rows = world.rows("pool").to_pylist()
    first = {row["group"]: row["image"] for row in reversed(rows)}
    folder = Path(world.path).parent
    return [Image.open(folder / name).convert("RGB") for _, name in sorted(first.items())]


def alter(picture: Image.Image, change: str, rng: np.random.Generator) -> Image.Image:
    """One change, and a JPEG of another quality."""
    width, height = picture.size
    if change == "cropped":
        keep = rng.uniform(0.65, 0.9)
        inner = int(width * keep), int(height * keep)
        left = int(rng.integers(0, width - inner[0] + 1))
        top = int(rng.integers(0, height - inner[1] + 1))
        picture = picture.crop((left, top, left + inner[0], top + inner[1]))
    elif change == "resized":
        scale = float(rng.choice([0.4, 0.6, 1.6, 2.0]))
        stretch = scale * rng.uniform(0.9, 1.1)
        picture = picture.resize((int(width * scale), int(height * stretch)))
    elif change == "recoloured":
        levels = np.array(picture.convert("HSV"))
        levels[..., 0] = (levels[..., 0].astype(int) + int(rng.integers(30, 220))) % 256
        picture = Image.fromarray(levels, "HSV").convert("RGB")
        picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.7, 1.25))
        picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.75, 1.25))
    elif change == "mirrored":
        picture = ImageOps.mirror(picture)
    elif change == "bordered":
        width = int(width * rng.uniform(0.05, 0.2))
        picture = ImageOps.expand(picture, width, fill=COLOURS[rng.integers(len(COLOURS))])
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=int(rng.integers(60, 92)))
    return Image.open(out).convert("RGB")
