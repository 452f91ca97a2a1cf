"""What covers a product's body: a brand's pattern or style, which tells the brand without a mark,
and the mass styles that tell nothing."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from ml.synth.brands import Brand, Colour
from ml.synth.geometry import Affine, Points, apply, bounds, moved
from ml.synth.marks import fill
from ml.synth.symbols import symbol

# Draws shapes given in the product's unit square.
Pen = Callable[[Points, Colour], None]

MASS_STYLES = ("marine", "gingham", "polka", "two_stripes", "camouflage", "block")


def draw_signature(
    canvas: Image.Image, body: Points, frame: Affine, brand: Brand, inks: tuple[Colour, Colour]
) -> None:
    """Draw the brand's pattern or style on the body.

    Args:
        body: the outline in canvas pixels; nothing is drawn outside it.
        frame: from the product's unit square to the canvas.
    """
    draw = {
        "monogram": _monogram, "tartan": _tartan, "bands": _bands, "dots": _dots,
        "zigzag": _zigzag, "argyle": _argyle, "stripes": _stripes, "teeth": _teeth,
        "split": _split,
    }[brand.signature]  # fmt: skip
    _clipped(canvas, body, frame, lambda pen: draw(pen, brand, inks))


def draw_mass_style(
    canvas: Image.Image, body: Points, frame: Affine, *, style: str, ink: Colour, seed: int
) -> None:
    """Draw a style too common to be anybody's."""
    draw = {
        "marine": _marine, "gingham": _gingham, "polka": _polka, "two_stripes": _two_stripes,
        "camouflage": _camouflage, "block": _block,
    }[style]  # fmt: skip
    _clipped(canvas, body, frame, lambda pen: draw(pen, ink, np.random.default_rng(seed)))


def _clipped(canvas: Image.Image, body: Points, frame: Affine, draw: Callable[[Pen], None]) -> None:
    x1, y1, x2, y2 = (int(v) for v in bounds(body))
    box = (max(0, x1), max(0, y1), min(canvas.width, x2 + 2), min(canvas.height, y2 + 2))
    if box[2] <= box[0] or box[3] <= box[1]:
        return
    layer = canvas.crop(box)
    mask = Image.new("L", layer.size)
    offset = np.array(box[:2])
    fill(mask, body - offset, 255)
    pencil = ImageDraw.Draw(layer)

    def pen(points: Points, colour: Colour) -> None:
        placed = apply(frame, points) - offset
        pencil.polygon([(float(x), float(y)) for x, y in placed], fill=colour)

    draw(pen)
    canvas.paste(layer, box[:2], mask)


def _rectangle(x1: float, y1: float, x2: float, y2: float, lean: float = 0.0) -> Points:
    return np.array([(x1 + lean, y1), (x2 + lean, y1), (x2 - lean, y2), (x1 - lean, y2)])


def _grid(rows: int, columns: int) -> list[tuple[float, float]]:
    return [
        ((c + 0.5 + 0.5 * (r % 2)) / columns, (r + 0.5) / rows)
        for r in range(rows)
        for c in range(-1, columns)
    ]


def _monogram(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    family, variant, _ = brand.logos[0]
    small = 0.5 / (brand.count + 2.5)
    strokes = [(points * small, ink) for points, ink in symbol(family, variant, 0) if ink]
    for x, y in _grid(brand.count + 3, brand.count + 1):
        for points, ink in strokes:
            pen(moved(points, x, y), inks[ink - 1])


def _tartan(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    n = brand.count
    for ink, width, offset in ((0, 0.32, 0.0), (1, 0.10, 0.45), (1, 0.05, 0.62)):
        for i in range(n):
            at, thick = (i + offset) / n, width / n
            pen(_rectangle(at, 0, at + thick, 1), inks[ink])
            pen(_rectangle(0, at, 1, at + thick), inks[ink])


def _bands(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    step = 0.85 / brand.count
    for i in range(-1, brand.count + 3):
        x = i * step
        pen(_rectangle(x, 0, x + step * 0.34, 1, 0.3), inks[0])
        pen(_rectangle(x + step * 0.42, 0, x + step * 0.52, 1, 0.3), inks[1])


def _dots(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    turn = np.linspace(0, 2 * np.pi, 14)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    r = 0.36 / (brand.count + 1)
    for x, y in _grid(brand.count + 2, brand.count + 1):
        pen(moved(ring * r, x, y), inks[0])
        pen(moved(ring * r * 0.55, x, y), inks[1])


def _zigzag(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    teeth = 2 * brand.count + 1
    x = np.linspace(0, 1, teeth)
    rows = brand.count + 1
    for row in range(rows):
        y = (row + 0.2) / rows + np.where(np.arange(teeth) % 2, 0.0, 0.4 / rows)
        band = np.concatenate([np.stack([x, y], 1), np.stack([x, y + 0.34 / rows], 1)[::-1]])
        pen(band, inks[row % 2])


def _argyle(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    n = brand.count
    diamond = np.array([(0, -0.5), (0.36, 0), (0, 0.5), (-0.36, 0)]) / n
    for i, (x, y) in enumerate(_grid(2 * n, n)):
        pen(moved(diamond, x, y), inks[(i // (n + 1)) % 2])


def _stripes(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    """Slanted stripes of growing length on the side, the outer ones in the second colour."""
    step = 0.34 / brand.count
    for i in range(brand.count):
        x = 0.32 + i * step
        colour = inks[1] if i in (0, brand.count - 1) else inks[0]
        pen(_rectangle(x, 0.30, x + step * 0.62, 0.95, 0.10), colour)


def _teeth(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    """A toothed hem below a thin line."""
    teeth = 2 * (brand.count + 2) + 1
    x = np.linspace(0, 1, teeth)
    y = np.where(np.arange(teeth) % 2, 0.50, 0.64)
    hem = np.concatenate([np.stack([x, y], 1), [(1.0, 1.0), (0.0, 1.0)]])
    pen(hem, inks[0])
    pen(_rectangle(0, 0.42, 1, 0.46), inks[1])


def _split(pen: Pen, brand: Brand, inks: tuple[Colour, Colour]) -> None:
    """Two-tone along a diagonal, with piping between."""
    lean = 0.12 * (brand.count - 3)
    pen(np.array([(0.55 + lean, 0), (1, 0), (1, 1), (0.35 - lean, 1)]), inks[0])
    pen(_rectangle(0.40, 0, 0.50, 1, 0.10 + lean), inks[1])


def _marine(pen: Pen, ink: Colour, rng: np.random.Generator) -> None:
    rows = int(rng.integers(5, 10))
    for i in range(rows):
        pen(_rectangle(0, i / rows, 1, (i + 0.45) / rows), ink)


def _gingham(pen: Pen, ink: Colour, rng: np.random.Generator) -> None:
    n = int(rng.integers(4, 9))
    for i in range(n):
        pen(_rectangle(i / n, 0, (i + 0.5) / n, 1), ink)
    pale = tuple(min(255, c // 2 + 110) for c in ink)
    for i in range(n):
        pen(_rectangle(0, i / n, 1, (i + 0.5) / n), (pale[0], pale[1], pale[2]))


def _polka(pen: Pen, ink: Colour, rng: np.random.Generator) -> None:
    turn = np.linspace(0, 2 * np.pi, 12)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    n = int(rng.integers(4, 9))
    for x, y in _grid(n + 1, n):
        pen(moved(ring * 0.25 / n, x, y), ink)


def _two_stripes(pen: Pen, ink: Colour, rng: np.random.Generator) -> None:
    x, width = rng.uniform(0.3, 0.55), rng.uniform(0.05, 0.09)
    for i in range(2):
        left = x + i * 1.8 * width
        pen(_rectangle(left, 0, left + width, 1, float(rng.choice([0.0, 0.1]))), ink)


def _camouflage(pen: Pen, ink: Colour, rng: np.random.Generator) -> None:
    turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    for _ in range(22):
        radius = rng.uniform(0.04, 0.14) * rng.uniform(0.6, 1.4, 9)
        blob = np.stack([np.cos(turn) * radius, np.sin(turn) * radius * 0.6], 1)
        shade = int(rng.integers(-45, 46))
        colour = tuple(int(np.clip(c + shade, 0, 255)) for c in ink)
        pen(blob + rng.random(2), (colour[0], colour[1], colour[2]))


def _block(pen: Pen, ink: Colour, rng: np.random.Generator) -> None:
    y = rng.uniform(0.35, 0.6)
    pen(_rectangle(0, y, 1, rng.uniform(y + 0.1, 1.0)), ink)
