"""From a plan to a JPEG file and the row that tells the truth about it."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ml.synth import names
from ml.synth.brands import Brand
from ml.synth.commerce import Merchant, audited_at, make_offer
from ml.synth.plan import FOLDERS, Plan
from ml.synth.scene import OVERSAMPLING, Scene, draw_scene
from ml.synth.subject import Box
from ml.synth.titles import draw_title

# Marks smaller than this in the finished picture are nothing a person would box, in pixels.
MIN_MARK = (8.0, 5.0)
SPLIT_OF = {folder: folder for folder in FOLDERS} | {
    "detection": "train", "variation": "train", "audit": "train",
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """All that a worker needs to draw any picture of the world."""

    directory: Path
    seed: int
    size: int
    brands: list[Brand]
    merchants: list[Merchant]


def render(world: World, plan: Plan) -> dict[str, Any]:
    """Draw one picture, write it, and return its manifest row with the full truth, what only
    `products.csv` has (`file`, `article_type`, `weak_brand`, `width`, `height`), and how the title
    tells the brand (`title_brand`, `title_form`, `title_way`)."""
    source = source_of(plan)
    drawn = drawing_stream(world.seed, plan)
    own = np.random.default_rng([world.seed, 3, FOLDERS.index(plan.folder), plan.index])
    kind = draw_kind(drawn, plan, world.brands)
    scene = draw_scene(drawn, plan, world.brands, kind=kind, size=draw_shape(drawn, world.size))
    picture, boxes = _finish(drawn, scene)
    if plan.copy_of is not None:
        picture, boxes = _crop(own, picture, boxes)
    boxes = [box for box in (_visible(box, picture.size) for box in boxes) if box is not None]
    data = _encode(own, picture)
    file = f"{plan.index:06d}.jpg"
    (world.directory / plan.folder / file).write_bytes(data)
    return _row(world, plan, own, kind=kind, boxes=boxes) | {
        "image": f"{plan.folder}/{file}",
        "sha256": hashlib.sha256(data).hexdigest(),
        "file": file,
        "width": picture.width,
        "height": picture.height,
        "group": f"{plan.folder}-{source:06d}",
        "product": f"{plan.folder}-p{source:06d}",
    }


def _row(
    world: World, plan: Plan, rng: np.random.Generator, *, kind: str, boxes: list[Box]
) -> dict[str, Any]:
    brand = world.brands[plan.brand] if plan.brand is not None else None
    listed = brand if brand is not None and brand.listed else None
    offer = make_offer(rng, plan, world.brands, world.merchants, kind)
    title = draw_title(seed=world.seed, plan=plan, brands=world.brands, kind=kind)
    attack = plan.attack if plan.look not in ("mass_style", "look_alike") else plan.look
    return {
        "title": title.text,
        "answer": "brand" if listed else ("other" if brand else "none"),
        "brand": listed.key if listed else None,
        "boxes": _named(boxes, listed),
        "variation": plan.variation,
        "has_logo": bool(boxes),
        "risk": offer.risk,
        "attack": attack,
        "split": SPLIT_OF[plan.folder],
        "category": names.CATEGORY[kind],
        "merchant": offer.merchant,
        "price": offer.price,
        "licensed": offer.licensed,
        "source": plan.folder,
        "labelled_at": audited_at(rng) if plan.folder == "audit" else None,
        "article_type": names.KINDS_EN[kind],
        "weak_brand": world.brands[plan.weak_brand].key if plan.weak_brand is not None else "",
        "title_brand": world.brands[title.brand].key if title.brand is not None else "",
        "title_form": title.form,
        "title_way": title.way,
    }


def _named(boxes: list[Box], brand: Brand | None) -> list[Mapping[str, Any]]:
    """Boxes of listed brands: nobody is asked to box another's."""
    if brand is None:
        return []
    sides = ("x1", "y1", "x2", "y2")
    return [dict(zip(sides, box, strict=True)) | {"brand": brand.key} for box in boxes]


def source_of(plan: Plan) -> int:
    """Index of the picture that is drawn: the original of a near-duplicate."""
    return plan.index if plan.copy_of is None else plan.copy_of


def drawing_stream(seed: int, plan: Plan) -> np.random.Generator:
    """What a picture is drawn from, the same for its near-duplicates. `draw_kind` comes first."""
    return np.random.default_rng([seed, 2, FOLDERS.index(plan.folder), source_of(plan)])


def draw_kind(rng: np.random.Generator, plan: Plan, brands: list[Brand]) -> str:
    """A product kind that the brand sells; not a watch where the dress is all there is to see."""
    shown = plan.brand if plan.brand is not None else plan.weak_brand
    kinds = brands[shown].kinds if shown is not None else sorted(names.KINDS_EN)
    if plan.look in ("signature", "mass_style") or plan.variation == "stack":
        kinds = [kind for kind in kinds if kind != "watch"]
    return str(rng.choice(kinds))


def draw_shape(rng: np.random.Generator, size: int) -> tuple[int, int]:
    """Width and height: mostly square, the longer side `size`. Drawn after the kind."""
    short = int(size * 0.8)
    return ((size, size), (short, size), (size, short))[int(rng.choice(3, p=[0.7, 0.15, 0.15]))]


def _finish(rng: np.random.Generator, scene: Scene) -> tuple[Image.Image, list[Box]]:
    """Reduce to the final size and light it: a lamp's fall-off, folds on the product, a cast of
    colour."""
    picture = scene.canvas.reduce(OVERSAMPLING)
    mask = np.asarray(scene.mask.reduce(OVERSAMPLING), dtype=np.float32) / 255
    height, width = mask.shape
    coarse = rng.normal(0, 1, (2, 5, 5)).astype(np.float32)
    folds, lamp = (
        np.asarray(Image.fromarray(c).resize((width, height), Image.Resampling.BICUBIC))
        for c in coarse
    )
    shade = 1 + 0.11 * folds * mask + 0.05 * lamp
    cast = rng.uniform(0.72, 1.12) * (1 + rng.normal(0, 0.035, 3))
    pixels = np.asarray(picture, dtype=np.float32) * shade[..., None] * cast.astype(np.float32)
    lit = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB")
    scale = 1 / OVERSAMPLING
    return lit, [(x1 * scale, y1 * scale, x2 * scale, y2 * scale) for x1, y1, x2, y2 in scene.boxes]


def _crop(
    rng: np.random.Generator, picture: Image.Image, boxes: list[Box]
) -> tuple[Image.Image, list[Box]]:
    """Another seller's copy of the picture: a little cropped and brightened."""
    width, height = picture.size
    cut = rng.uniform(0, 0.03, 4) * (rng.random() < 0.6) * [width, height, width, height]
    left, top, right, bottom = (int(c) for c in cut)
    right, bottom = width - right, height - bottom
    pixels = np.asarray(picture.crop((left, top, right, bottom)), dtype=np.float32)
    pixels = np.clip(pixels * rng.uniform(0.92, 1.08), 0, 255).astype(np.uint8)
    moved = [(x1 - left, y1 - top, x2 - left, y2 - top) for x1, y1, x2, y2 in boxes]
    return Image.fromarray(pixels, "RGB"), moved


def _visible(box: Box, size: tuple[int, int]) -> Box | None:
    """The box clipped to the picture; None where too little of the mark can be seen."""
    x1, y1, x2, y2 = box
    clipped = (max(0.0, x1), max(0.0, y1), min(float(size[0]), x2), min(float(size[1]), y2))
    width, height = clipped[2] - clipped[0], clipped[3] - clipped[1]
    if max(width, height) < MIN_MARK[0] or min(width, height) < MIN_MARK[1]:
        return None
    if width * height < 0.5 * (x2 - x1) * (y2 - y1):
        return None
    return clipped


def _encode(rng: np.random.Generator, picture: Image.Image) -> bytes:
    """Sensor noise, then a JPEG of the quality that shops use."""
    pixels = np.asarray(picture, dtype=np.float32)
    noise = rng.standard_normal(pixels.shape[:2], dtype=np.float32)
    pixels = pixels + (noise * rng.uniform(0.5, 3.5))[..., None]
    noisy = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB")
    out = io.BytesIO()
    noisy.save(out, "JPEG", quality=int(rng.integers(68, 95)))
    return out.getvalue()
