"""Image files put into a folder that stands alone."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from ml.errors import InputError
from ml.images import open_image

QUALITY = 95


@dataclass(frozen=True)
class Shown:
    """An image as it lies in the folder: its upright width and height in pixels."""

    name: str
    width: int
    height: int


@dataclass(frozen=True)
class Box:
    """A brand's box in pixels, within its image."""

    x1: float
    y1: float
    x2: float
    y2: float
    brand: str


def place(
    source: Path, target: Path, *, name: str, link: bool, upright: bool, jpeg: bool = False
) -> Shown:
    """Put an image file into a folder, as `target`.

    Args:
        name: what the folder's tables call it.
        link: a hard link where the disk allows one; else, and without, a copy.
        upright: an image that its EXIF data turns is written anew, because tools do not agree on
            whether boxes are of the pixels as they lie or as they are shown.
        jpeg: what is no JPEG is written as one.

    Raises:
        InputError: it cannot be read.
    """
    width, height, turned, format_ = _header(source)
    if (upright and turned) or (jpeg and format_ != "JPEG"):
        image = open_image(source)
        image.save(target, "JPEG" if jpeg or format_ == "MPO" else format_, quality=QUALITY)
        return Shown(name, *image.size)
    if not (link and _linked(source, target)):
        shutil.copyfile(source, target)
    return Shown(name, width, height)


def boxes_within(row: Mapping[str, Any], shown: Shown) -> list[Box]:
    """A row's boxes cut to their image; those that lie outside it are left out."""
    cut = [
        Box(
            max(0.0, box["x1"]),
            max(0.0, box["y1"]),
            min(float(shown.width), box["x2"]),
            min(float(shown.height), box["y2"]),
            box["brand"],
        )
        for box in row["boxes"]
    ]
    return [box for box in cut if box.x1 < box.x2 and box.y1 < box.y2]


def _header(path: Path) -> tuple[int, int, bool, str]:
    """Width and height as shown, whether EXIF data turns or mirrors it, and its format."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            way = image.getexif().get(ExifTags.Base.Orientation, 1)
            format_ = image.format or ""
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable image: {error}") from error
    if way >= 5:  # from here on the sides change places
        width, height = height, width
    return width, height, way != 1, format_


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links; whatever else it is, a copy says
        return False
    return True
