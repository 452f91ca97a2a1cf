"""Putting logos and names on a canvas."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from ml.fonts import font_of
from ml.synth.brands import Brand, Colour, Lettering
from ml.synth.geometry import Affine, Points, apply, bounds
from ml.synth.symbols import Stroke, symbol

TEXT_HEIGHT = 48
_SQUARE = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float)
PLAIN = Lettering(case="upper", slant=0.0, stretch=1.0, weight=1)


@dataclass(frozen=True)
class Mark:
    """A mark ready to be drawn: strokes, or letters, in the square [-1, 1]² stretched to `aspect`
    (width / height)."""

    strokes: tuple[Stroke, ...] = ()
    text: str = ""
    lettering: Lettering = PLAIN
    aspect: float = 1.0


def logo(brand: Brand, which: int) -> Mark:
    return Mark(strokes=tuple(symbol(*brand.logos[which % len(brand.logos)])))


def wordmark(text: str, lettering: Lettering) -> Mark:
    """The name as the brand sets it."""
    text = {"upper": text.upper(), "lower": text.lower()}.get(lettering.case, text)
    mask = _letters(text, lettering)
    return Mark(text=text, lettering=lettering, aspect=mask.width / mask.height)


@cache
def _letters(text: str, lettering: Lettering) -> Image.Image:
    """The set text as a tight mask: stretch, weight and slant applied."""
    font = font_of(text, TEXT_HEIGHT)
    # More would fill a character's inside.
    weight = lettering.weight if text.isascii() else 1
    left, top, right, bottom = font.getbbox(text, stroke_width=weight)
    mask = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    draw = ImageDraw.Draw(mask)
    draw.text((1 - left, 1 - top), text, fill=255, font=font, stroke_width=weight)
    mask = mask.resize((max(1, round(mask.width * lettering.stretch)), mask.height))
    room = abs(lettering.slant) * mask.height
    shift = 0.0 if lettering.slant > 0 else -room
    slanted = mask.transform(
        (round(mask.width + room), mask.height),
        Image.Transform.AFFINE,
        (1, -lettering.slant, shift, 0, 1, 0),
        Image.Resampling.BILINEAR,
    )
    return slanted.crop(slanted.getbbox())


def draw_mark(
    canvas: Image.Image, mark: Mark, frame: Affine, inks: tuple[Colour, Colour]
) -> tuple[float, float, float, float]:
    """Draw a mark and return its box (x1, y1, x2, y2) in canvas pixels, not clipped.

    Args:
        frame: from the square [-1, 1]² to the canvas; the caller puts the mark's aspect in it.
    """
    if mark.text:
        return _draw_text(canvas, mark, frame, inks[0])
    shapes = [(apply(frame, points), ink) for points, ink in mark.strokes]
    outline = np.concatenate([points for points, ink in shapes if ink])
    x1, y1, x2, y2 = bounds(outline)
    left, top = int(x1) - 1, int(y1) - 1
    size = (int(x2) - left + 2, int(y2) - top + 2)
    masks = {ink: Image.new("L", size) for ink in (1, 2)}
    pens = {ink: ImageDraw.Draw(mask) for ink, mask in masks.items()}
    for points, ink in shapes:
        flat = _flat(points - [left, top])
        for colour, pen in pens.items():
            pen.polygon(flat, fill=255 if colour == ink else 0)
    for ink, mask in masks.items():
        canvas.paste(inks[ink - 1], (left, top), mask)
    # From what was filled, not from the points: a stroke that takes ink away may trim an edge.
    return _placed_box(ImageChops.lighter(masks[1], masks[2]), left, top)


def _draw_text(
    canvas: Image.Image, mark: Mark, frame: Affine, ink: Colour
) -> tuple[float, float, float, float]:
    letters = _letters(mark.text, mark.lettering)
    x1, y1, x2, y2 = bounds(apply(frame, _SQUARE))
    left, top = int(x1) - 1, int(y1) - 1
    size = (max(1, int(x2) - left + 2), max(1, int(y2) - top + 2))
    # Pillow wants the way back: from a pixel of the output to one of the letters.
    back = np.linalg.inv(frame[:, :2])
    half = np.array([letters.width / 2, letters.height / 2])
    linear = back * half[:, None]
    shift = half - linear @ (frame[:, 2] - [left, top])
    coefficients = (*linear[0], shift[0], *linear[1], shift[1])
    mask = letters.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    canvas.paste(ink, (left, top), mask)
    return _placed_box(mask, left, top)


def _placed_box(mask: Image.Image, left: int, top: int) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = mask.getbbox() or (0, 0, 0, 0)
    return float(left + x1), float(top + y1), float(left + x2), float(top + y2)


def fill(canvas: Image.Image, points: Points, colour: Colour | int) -> None:
    ImageDraw.Draw(canvas).polygon(_flat(points), fill=colour)


def _flat(points: Points) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]
