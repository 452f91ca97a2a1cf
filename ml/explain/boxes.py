"""What a detector found, for people: the boxes on the picture, and the best one cut out."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from ml.fonts import font_of
from ml.models.base import Box

# Boxes are drawn on the picture with its longer side brought between these, in pixels; letters and
# lines are these shares of it, so that a thumbnail shows them too.
LEAST_SIDE, MOST_SIDE = 384, 1024
MOST_DRAWN = 5
MARGIN = 0.15  # of the box's longer side, around a crop
TEXT, LINE = 1 / 25, 1 / 128
# Of the best box, and of the others. Orange and blue differ to the colour-blind too.
_INK = ((255, 122, 0), (20, 110, 220))
_WHITE = (255, 255, 255)


def draw_boxes(image: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """The picture, enlarged or reduced, with its MOST_DRAWN best boxes, brand and score.

    Args:
        boxes: best first.
    """
    side = max(image.size)
    scale = min(max(side, LEAST_SIDE), MOST_SIDE) / side
    width, height = (max(1, round(side * scale)) for side in image.size)
    canvas = image.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(canvas)
    line = round(LINE * max(width, height))
    drawn = list(enumerate(boxes[:MOST_DRAWN]))
    for rank, box in reversed(drawn):  # the best one on top
        ink = _INK[min(rank, 1)]
        corners = [value * scale for value in (box.x1, box.y1, box.x2, box.y2)]
        pen.rectangle(corners, outline=_WHITE, width=line + 2)
        pen.rectangle(corners, outline=ink, width=line)
    for rank, box in reversed(drawn):
        _label(
            pen,
            f"{box.brand} {box.score:.2f}",
            (box.x1 * scale, box.y1 * scale),
            canvas.size,
            _INK[min(rank, 1)],
        )
    return canvas


def _label(
    pen: ImageDraw.ImageDraw,
    text: str,
    corner: tuple[float, float],
    size: tuple[int, int],
    ink: tuple[int, int, int],
) -> None:
    """The text above the corner, moved to where it is inside the picture."""
    font = font_of(text, round(TEXT * max(size)))
    x1, y1, x2, y2 = pen.textbbox((0, 0), text, font=font)
    wide, high = x2 - x1 + 8, y2 - y1 + 6
    left = max(0.0, min(corner[0], size[0] - wide))
    top = max(0.0, min(corner[1] - high, size[1] - high))
    pen.rectangle((left, top, left + wide, top + high), fill=ink)
    pen.text((left + 4 - x1, top + 3 - y1), text, font=font, fill=_WHITE)


def crop(image: Image.Image, box: Box) -> Image.Image:
    """The box with a margin, enlarged where it is small."""
    margin = MARGIN * max(box.x2 - box.x1, box.y2 - box.y1)
    left, top = (int(max(0.0, side - margin)) for side in (box.x1, box.y1))
    right = min(image.width, round(box.x2 + margin))
    bottom = min(image.height, round(box.y2 + margin))
    cut = image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    scale = max(1.0, LEAST_SIDE / 2 / max(cut.size))
    width, height = (max(1, round(side * scale)) for side in cut.size)
    return cut.resize((width, height), Image.Resampling.BICUBIC)
