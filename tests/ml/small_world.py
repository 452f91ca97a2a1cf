"""A world of a few seconds: three brands told by the colour of their square, on 48-pixel images."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ml.manifest import Manifest, write_manifest

COLOURS = {"akira": (200, 30, 30), "bodo": (30, 160, 40), "cyan": (30, 60, 200)}
SPLITS = {"train": 16, "closed": 4, "open": 8, "pool": 4}
QUICK = {
    "size": 32,
    "start_size": 32,
    "epochs": 10,
    "warm_epochs": 4,
    "least_steps": 0,
    "batch_size": 16,
    "backbone_args": {"channels": [8, 16, 32, 32]},
    "backbone": "small_resnet",
    "learning_rate": 1e-2,
    "warmup": 0.05,
    "threads": 1,
    "bfloat16": False,
}


def draw(colour: tuple[int, int, int] | None, rng: np.random.Generator, copies: int = 1):
    image = Image.fromarray(rng.integers(150, 220, (48, 48, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    side = 30 if copies == 1 else 8
    for _ in range(copies):
        x, y = rng.integers(0, 48 - side, 2).tolist()
        pen.rectangle([x, y, x + side, y + side], fill=colour or (120, 120, 120))
    return image


def write_world(folder: Path, *, seed: int = 0, variation: bool = True) -> Manifest:
    """Every brand, and as many `none` images as two brands, in every split; `open` is `none`."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for split, count in SPLITS.items():
        for brand in [None] * 5 if split == "open" else [*COLOURS, None, None]:
            for i in range(count):
                copies = 6 if variation and i % 4 == 0 else 1
                kind = ("collage" if i % 8 else "stack") if copies > 1 else "none"
                rows.append(
                    {
                        "image": f"{split}-{brand}-{len(rows)}.png",
                        "sha256": f"{len(rows):064x}",
                        "answer": "unlabelled" if split == "pool" else "brand" if brand else "none",
                        "brand": None if split == "pool" else brand,
                        "variation": kind if variation else None,
                        "split": split,
                        "group": f"g{len(rows)}",
                    }
                )
                folder.mkdir(parents=True, exist_ok=True)
                draw(COLOURS.get(brand or ""), rng, copies).save(folder / rows[-1]["image"])
    return write_manifest(rows, folder)
