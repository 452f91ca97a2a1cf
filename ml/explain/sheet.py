"""Contact sheets: one row an image, one cell a picture of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw

from ml.fonts import font_of

CELL = 240  # side of a cell's picture, pixels
GAP = 12
CAPTION = 44  # two lines
ROWS = 10  # a sheet
_TEXT = 13
_GROUND, _FRAME, _INK, _QUIET = (250, 250, 248), (222, 224, 228), (27, 30, 35), (88, 96, 108)


@dataclass(frozen=True)
class Cell:
    """A picture with a line and a quieter one above it."""

    picture: Image.Image
    head: str
    note: str = ""

    @classmethod
    def of(cls, picture: Image.Image, head: str, note: str = "") -> "Cell":
        """With the picture at the size it is shown in."""
        return cls(fit(picture, CELL), head, note)


@dataclass
class Sheets:
    """Sheets of ROWS rows each, written to a folder as they fill up."""

    folder: Path
    _rows: list[Sequence[Cell]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def add(self, row: Sequence[Cell]) -> None:
        self._rows.append(row)
        if len(self._rows) == ROWS:
            self.close()

    def close(self) -> None:
        """Write what is waiting."""
        if self._rows:
            self.files.append(f"sheet-{len(self.files) + 1:02d}.png")
            draw_sheet(self._rows).save(self.folder / self.files[-1])
            self._rows = []


def draw_sheet(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    """The rows below each other, their cells side by side."""
    columns = max(len(row) for row in rows)
    size = (GAP + columns * (CELL + GAP), GAP + len(rows) * (CAPTION + CELL + GAP))
    sheet = Image.new("RGB", size, _GROUND)
    pen = ImageDraw.Draw(sheet)
    for i, row in enumerate(rows):
        top = GAP + i * (CAPTION + CELL + GAP)
        for j, cell in enumerate(row):
            left = GAP + j * (CELL + GAP)
            _write(pen, (left, top), cell.head, _INK)
            _write(pen, (left, top + 19), cell.note, _QUIET)
            _place(sheet, pen, cell.picture, (left, top + CAPTION))
    return sheet


def fit(picture: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side so many pixels long; tiny ones are enlarged as they are,
    pixel by pixel."""
    scale = side / max(picture.size)
    size = tuple(max(1, round(length * scale)) for length in picture.size)
    way = Image.Resampling.NEAREST if scale > 4 else Image.Resampling.BICUBIC
    return picture.resize(size, way, reducing_gap=3.0)  # type: ignore[arg-type]


def _place(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, picture: Image.Image, corner: tuple[int, int]
) -> None:
    left = corner[0] + (CELL - picture.width) // 2
    top = corner[1] + (CELL - picture.height) // 2
    pen.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=_FRAME)
    sheet.paste(picture, (left, top))


def _write(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, ink: tuple[int, int, int]
) -> None:
    """The text, cut to the width of a cell."""
    font = font_of(text, _TEXT)
    whole = text
    while text and pen.textlength(text + "…" * (text != whole), font=font) > CELL:
        text = text[:-1]
    pen.text(corner, text + "…" * (text != whole), font=font, fill=ink)
