"""A whole picture: background, product, attack, light; or many of them as a collage or a stack."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ml.synth.attacks import cover, smear
from ml.synth.background import paint_background, promotion
from ml.synth.brands import Brand
from ml.synth.geometry import apply, placement
from ml.synth.plan import Plan
from ml.synth.subject import Box, draw_subject, make_pose, make_subject

# Drawn this much larger and reduced, so that edges come out smooth.
OVERSAMPLING = 2


@dataclass
class Scene:
    """A picture being drawn, OVERSAMPLING times its final size; boxes in the same pixels."""

    canvas: Image.Image
    mask: Image.Image
    boxes: list[Box]


def draw_scene(
    rng: np.random.Generator,
    plan: Plan,
    brands: list[Brand],
    *,
    kind: str,
    size: tuple[int, int],
) -> Scene:
    """Draw what the plan asks for at OVERSAMPLING × `size` (width, height).

    Args:
        kind: the product's kind; a collage shows it in one cell at least.
    """
    large = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    if plan.variation == "collage":
        return _collage(rng, plan, brands, large, kind=kind)
    if plan.variation == "stack":
        return _stack(rng, plan, brands, large, kind=kind)
    scene = _single(rng, plan, brands, large, kind=kind)
    if rng.random() < 0.12:
        promotion(rng, scene.canvas, scene.boxes)
    return scene


def _blank(size: tuple[int, int], canvas: Image.Image) -> Scene:
    return Scene(canvas=canvas, mask=Image.new("L", size), boxes=[])


def _single(
    rng: np.random.Generator,
    plan: Plan,
    brands: list[Brand],
    size: tuple[int, int],
    *,
    kind: str | None,
) -> Scene:
    side = min(size)
    scene = _blank(size, paint_background(rng, size))
    subject = make_subject(rng, plan, brands, kind=kind)
    extent = side * rng.uniform(0.82, 1.06)
    if plan.attack == "tiny":
        extent = side * rng.uniform(0.5, 0.75)
    drift = 0.06 * side
    centre = (
        size[0] / 2 + float(rng.uniform(-drift, drift)),
        size[1] / 2 + float(rng.uniform(-drift, drift)),
    )
    low, high = plan.mark_width
    pose = make_pose(
        rng, centre=centre, extent=extent, tilt=9.0, mark_width=(low * side, high * side)
    )
    _shadow(rng, scene.canvas, centre, extent)
    scene.boxes = draw_subject(scene.canvas, scene.mask, rng, subject, pose)
    if plan.attack == "smear":
        smear(rng, scene.canvas, scene.boxes)
    elif plan.attack == "cover":
        cover(rng, scene.canvas, scene.boxes)
        scene.boxes = []
    elif plan.brand is None:
        scene.boxes = []  # decoration and look-alikes are nobody's marks
    return scene


def _shadow(
    rng: np.random.Generator, canvas: Image.Image, centre: tuple[float, float], extent: float
) -> None:
    """A soft dark patch below the product."""
    small = (canvas.width // 4, canvas.height // 4)
    mask = Image.new("L", small)
    x, y = centre[0] / 4, centre[1] / 4 + extent / 4 * 0.40
    half = extent / 4 * rng.uniform(0.38, 0.5)
    ImageDraw.Draw(mask).ellipse(
        (x - half, y - half * 0.28, x + half, y + half * 0.28), fill=int(rng.integers(60, 130))
    )
    mask = mask.filter(ImageFilter.GaussianBlur(half * 0.16)).resize(canvas.size)
    canvas.paste((18, 18, 22), (0, 0), mask)


def _collage(
    rng: np.random.Generator,
    plan: Plan,
    brands: list[Brand],
    size: tuple[int, int],
    *,
    kind: str,
) -> Scene:
    """A grid of different pictures; at least one, and most, show the brand there is."""
    columns, rows = ((2, 2), (3, 2), (2, 3), (3, 3), (2, 1), (1, 2), (4, 3))[
        int(rng.choice(7, p=[0.3, 0.15, 0.15, 0.2, 0.06, 0.06, 0.08]))
    ]
    gap = int(rng.integers(0, 7)) * OVERSAMPLING // 2
    colour = ((255, 255, 255), (245, 240, 235), (30, 30, 32))[int(rng.choice(3, p=[0.7, 0.2, 0.1]))]
    scene = _blank(size, Image.new("RGB", size, colour))
    width = (size[0] - gap * (columns + 1)) // columns
    height = (size[1] - gap * (rows + 1)) // rows
    sure = int(rng.integers(rows * columns))
    for cell in range(rows * columns):
        part = replace(plan, variation="none", mark_width=(0.25, 0.5))
        if plan.brand is not None and cell != sure and rng.random() < 0.35:
            part = replace(part, brand=None, look="plain")
        inner = _single(rng, part, brands, (width, height), kind=kind if cell == sure else None)
        left = gap + (cell % columns) * (width + gap)
        top = gap + (cell // columns) * (height + gap)
        scene.canvas.paste(inner.canvas, (left, top))
        scene.mask.paste(inner.mask, (left, top))
        scene.boxes += [(a + left, b + top, c + left, d + top) for a, b, c, d in inner.boxes]
    return scene


def _stack(
    rng: np.random.Generator,
    plan: Plan,
    brands: list[Brand],
    size: tuple[int, int],
    *,
    kind: str,
) -> Scene:
    """Many small copies of one product, in rows or in a heap."""
    if plan.look == "mark":
        plan = replace(plan, look="both")  # marks this small need the signature beside them
    scene = _blank(size, paint_background(rng, size))
    subject = make_subject(rng, plan, brands, kind=kind)
    across = int(rng.integers(4, 8))
    pitch = size[0] / across
    tile_side = int(pitch * rng.uniform(1.0, 1.25)) + 2
    tile = _blank((tile_side, tile_side), Image.new("RGB", (tile_side, tile_side)))
    pose = make_pose(
        rng,
        centre=(tile_side / 2, tile_side / 2),
        extent=tile_side * 0.9,
        tilt=3.0,
        mark_width=(0.3 * tile_side, 0.5 * tile_side),
    )
    boxes = draw_subject(tile.canvas, tile.mask, rng, subject, pose)
    spread, tilt = (0.04, 3.0) if rng.random() < 0.5 else (0.28, 25.0)
    rows = int(np.ceil(size[1] / pitch))
    for cell in rng.permutation(rows * across):
        row, column = divmod(int(cell), across)
        x = (column + 0.5 + rng.normal(0, spread)) * pitch
        y = (row + 0.5 + rng.normal(0, spread)) * pitch
        scene.boxes += _paste_turned(scene, tile, boxes, (x, y), float(rng.normal(0, tilt)))
    if plan.brand is None:
        scene.boxes = []
    return scene


def _paste_turned(
    scene: Scene, tile: Scene, boxes: list[Box], centre: tuple[float, float], degrees: float
) -> list[Box]:
    turned = tile.canvas.rotate(-degrees, Image.Resampling.BILINEAR)
    mask = tile.mask.rotate(-degrees, Image.Resampling.BILINEAR)
    side = tile.canvas.width
    corner = (int(centre[0] - side / 2), int(centre[1] - side / 2))
    scene.canvas.paste(turned, corner, mask)
    scene.mask.paste(mask, corner, mask)
    matrix = placement(centre=centre, scale=(1, 1), degrees=degrees)
    placed = []
    for x1, y1, x2, y2 in boxes:
        corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]) - side / 2
        corners = apply(matrix, corners)
        low, high = corners.min(axis=0), corners.max(axis=0)
        placed.append((float(low[0]), float(low[1]), float(high[0]), float(high[1])))
    return placed
