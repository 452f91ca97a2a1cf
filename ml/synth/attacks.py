"""What sellers do to a mark so that machines miss it: smear a part of it, or cover it whole."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ml.synth.geometry import apply, placement, smooth

Box = tuple[float, float, float, float]


def smear(rng: np.random.Generator, canvas: Image.Image, boxes: list[Box]) -> None:
    """Blur, pixelate or scribble over 35 to 60 % of each mark; the rest still tells the brand."""
    for box in boxes:
        part = _part(rng, canvas, box)
        if part is None:
            continue
        way = int(rng.integers(3))
        patch = canvas.crop(part)
        if way == 0:
            patch = patch.filter(ImageFilter.GaussianBlur(max(patch.size) / 5))
        elif way == 1:
            coarse = patch.resize((max(1, patch.width // 12), max(1, patch.height // 12)))
            patch = coarse.resize(patch.size, Image.Resampling.NEAREST)
        else:
            _scribble(rng, patch)
        canvas.paste(patch, part[:2])


def cover(rng: np.random.Generator, canvas: Image.Image, boxes: list[Box]) -> None:
    """Lay a label, a strap or a coin over each mark so that nothing of it shows."""
    for x1, y1, x2, y2 in boxes:
        half = (0.56 * (x2 - x1) + 3, 0.56 * (y2 - y1) + 3)
        square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float)
        # A rounded shape has to be larger to hide the corners.
        shape = (square, smooth(square, 2) * 1.25, square * [1.5, 1.1])[rng.integers(3)]
        frame = placement(
            centre=((x1 + x2) / 2, (y1 + y2) / 2), scale=half, degrees=float(rng.normal(0, 5))
        )
        points = [(float(x), float(y)) for x, y in apply(frame, shape)]
        colour = tuple(int(c) for c in rng.uniform(70, 220) + rng.uniform(-35, 35, 3))
        edge = tuple(int(c * 0.75) for c in colour)
        ImageDraw.Draw(canvas).polygon(points, fill=colour, outline=edge, width=2)


def _part(
    rng: np.random.Generator, canvas: Image.Image, box: Box
) -> tuple[int, int, int, int] | None:
    x1, y1, x2, y2 = box
    share = rng.uniform(0.35, 0.6)
    if x2 - x1 >= y2 - y1:
        left = x1 + rng.choice([0.0, 1 - share]) * (x2 - x1)
        x1, x2 = left, left + share * (x2 - x1)
    else:
        top = y1 + rng.choice([0.0, 1 - share]) * (y2 - y1)
        y1, y2 = top, top + share * (y2 - y1)
    part = (
        max(0, int(x1)),
        max(0, int(y1)),
        min(canvas.width, int(x2)),
        min(canvas.height, int(y2)),
    )
    return part if part[2] - part[0] > 3 and part[3] - part[1] > 3 else None


def _scribble(rng: np.random.Generator, patch: Image.Image) -> None:
    draw = ImageDraw.Draw(patch)
    colour = tuple(int(c) for c in rng.integers(20, 240, 3))
    n = int(rng.integers(6, 11))
    y = np.linspace(0.05, 0.95, n) * patch.height
    x = np.where(np.arange(n) % 2, 0.05, 0.95) * patch.width
    width = max(3, int(patch.height / n * 1.1))
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=colour, width=width)
