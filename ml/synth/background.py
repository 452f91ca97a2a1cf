"""Backgrounds, and the price tags and slogans that shops put on pictures."""

import numpy as np
from PIL import Image, ImageDraw

from ml.synth.geometry import placement
from ml.synth.marks import PLAIN, draw_mark, wordmark

_SLOGANS = ("SALE", "-50%", "NEW", "HOT", "GIFT", "2 FOR 1", "TOP", "99.-")


def paint_background(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A studio, a room, a table, or out of focus outdoors."""
    way = int(rng.choice(4, p=[0.34, 0.22, 0.22, 0.22]))
    return (_studio, _room, _blurred, _textured)[way](rng, size)


def _ramp(corners: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Blend a small grid of colours [h, w, 3] over the whole picture."""
    small = Image.fromarray(np.clip(corners, 0, 255).astype(np.uint8), "RGB")
    return small.resize(size, Image.Resampling.BICUBIC)


def _studio(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    level = rng.uniform(205, 253)
    tint = rng.normal(0, 5, 3)
    return _ramp(level + tint + rng.normal(0, 7, (3, 3, 1)), size)


def _room(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A wall above a floor, with a thing or two standing about."""
    wall = rng.uniform(120, 230) + rng.normal(0, 18, 3)
    canvas = _ramp(wall + rng.normal(0, 12, (3, 3, 1)), size)
    draw = ImageDraw.Draw(canvas)
    horizon = int(size[1] * rng.uniform(0.5, 0.8))
    for _ in range(int(rng.integers(1, 4))):
        colour = tuple(int(c) for c in rng.uniform(60, 210) + rng.uniform(-35, 35, 3))
        x, width = rng.uniform(-0.1, 0.95) * size[0], rng.uniform(0.1, 0.35) * size[0]
        top = horizon - rng.uniform(0.15, 0.6) * size[1]
        if rng.random() < 0.6:
            draw.rectangle((x, top, x + width, horizon), fill=colour)
        else:
            draw.ellipse((x, top, x + width, top + width), fill=colour)
    floor = tuple(int(c) for c in rng.uniform(80, 170) + rng.uniform(-18, 18, 3))
    draw.rectangle((0, horizon, size[0], size[1]), fill=floor)
    planks = int(rng.integers(0, 7))
    dark = tuple(int(c * 0.85) for c in floor)
    for i in range(planks):
        x = size[0] * i / max(1, planks - 1)
        draw.line((x, horizon, 2 * x - size[0] / 2, size[1]), fill=dark, width=2)
    return canvas


def _blurred(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    cells = int(rng.integers(3, 7))
    base = rng.uniform(70, 205) + rng.normal(0, 16, 3)
    light = rng.normal(0, 30, (cells, cells, 1)) + rng.normal(0, 13, (cells, cells, 3))
    return _ramp(base + light, size)


def _textured(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Wood, cloth or tiles seen from above."""
    base = rng.uniform(105, 225) + rng.normal(0, 18, 3)
    y, x = np.mgrid[0 : size[1] // 2, 0 : size[0] // 2] / max(size) * 2
    turn = rng.uniform(0, np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    frequency = rng.uniform(4, 14)
    if rng.random() < 0.5:
        wave = np.sin(2 * np.pi * (frequency * along + 0.4 * np.sin(5 * across)))
    else:
        wave = np.maximum(
            np.cos(2 * np.pi * frequency * along / 2) > 0.94,
            np.cos(2 * np.pi * frequency * across / 2) > 0.94,
        ).astype(float)
    pixels = base + rng.uniform(8, 26) * wave[..., None] * np.array([1, 0.95, 0.85])
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB").resize(size)


def promotion(
    rng: np.random.Generator,
    canvas: Image.Image,
    boxes: list[tuple[float, float, float, float]],
) -> None:
    """A slogan in a corner that hides no mark."""
    width, height = canvas.size
    side = 0.26 * min(width, height)
    corners = [(0.0, 0.0), (width - side, 0.0), (0.0, height - side), (width - side, height - side)]
    free = [
        (x, y)
        for x, y in corners
        if all(x2 < x or x1 > x + side or y2 < y or y1 > y + side for x1, y1, x2, y2 in boxes)
    ]
    if not free:
        return
    x, y = free[rng.integers(len(free))]
    colour = ((226, 40, 40), (245, 180, 20), (30, 30, 34), (20, 140, 90))[rng.integers(4)]
    draw = ImageDraw.Draw(canvas)
    if rng.random() < 0.5:
        draw.ellipse((x, y, x + side, y + side), fill=colour)
    else:
        draw.rectangle((x, y + side * 0.25, x + side, y + side * 0.75), fill=colour)
    mark = wordmark(_SLOGANS[rng.integers(len(_SLOGANS))], PLAIN)
    half = min(side * 0.4, side * 0.2 * mark.aspect)
    frame = placement(
        centre=(x + side / 2, y + side / 2),
        scale=(half, half / mark.aspect),
        degrees=float(rng.normal(0, 6)),
    )
    draw_mark(canvas, mark, frame, ((255, 255, 255), (255, 255, 255)))
