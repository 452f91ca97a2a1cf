"""Reading one image file as if it were hostile: what it is, whether it decodes, and its hash."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ml import phash

MAX_PIXELS = 40_000_000
MAX_BYTES = 100_000_000
# What browsers show, and so what Label Studio can; the content decides, not the file's name.
EXTENSIONS = {
    "JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp",
    "AVIF": "avif",
}  # fmt: skip
ORIENTATION = 0x0112
TRANSPOSED = (5, 6, 7, 8)
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Refusal(Exception):
    """Why a file or row is set aside, in words for the person who can mend it."""


@dataclass(frozen=True)
class Picture:
    """A decodable image: size in pixels once upright, file extension by content, perceptual hash.
    `bands` are empty for a plain surface."""

    width: int
    height: int
    extension: str
    phash: bytes
    bands: list[int]


def file_sha256(path: Path) -> str:
    """The identity of a file.

    Raises:
        Refusal: it is missing, empty, too large or unreadable.
    """
    return hashlib.sha256(read_bytes(path)).hexdigest()


def read_bytes(path: Path) -> bytes:
    """The content of a file that could be an image.

    Raises:
        Refusal: as `file_sha256`.
    """
    try:
        # A pipe or device would block or never end.
        if not path.is_file():
            raise Refusal("not a file" if path.exists() else "file missing")
        size = path.stat().st_size
        if size == 0:
            raise Refusal("empty file")
        if size > MAX_BYTES:
            raise Refusal(f"file of {size:,} bytes; at most {MAX_BYTES:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise Refusal(f"cannot be read: {error.strerror or error}") from error


def read_picture(path: Path) -> Picture:
    """Decode a file whole.

    Raises:
        Refusal: not an image, of a kind browsers do not show, too many pixels, or damaged.
    """
    return decode(read_bytes(path))


def decode(data: bytes) -> Picture:
    """As `read_picture`, of a file's content."""
    if not data:
        raise Refusal("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                return _measure(image)
    except Refusal:
        raise
    except Image.UnidentifiedImageError as error:
        raise Refusal("not an image") from error
    except Image.DecompressionBombError as error:
        raise Refusal(f"too many pixels; at most {MAX_PIXELS:,} are decoded") from error
    except Exception as error:  # damaged files raise almost anything, IndexError to MemoryError
        raise Refusal(f"damaged: {error or type(error).__name__}"[:200]) from error


def _measure(image: Image.Image) -> Picture:
    extension = EXTENSIONS.get(image.format or "")
    if extension is None:
        raise Refusal(f"{image.format} images are not supported")
    width, height = image.size
    # Before any pixel is decoded: a few kilobytes can unfold to gigabytes.
    if width * height > MAX_PIXELS:
        raise Refusal(f"{width} x {height} pixels; at most {MAX_PIXELS:,} are decoded")
    orientation = image.getexif().get(ORIENTATION, 1)
    # Decodes a large JPEG at a fraction of its size; every byte of it is read all the same.
    image.draft("L", (2 * phash.SIDE, 2 * phash.SIDE))
    image.load()
    grey = _small_grey(image)
    if orientation in UPRIGHT:
        grey = grey.transpose(UPRIGHT[orientation])
    if orientation in TRANSPOSED:
        width, height = height, width
    levels = np.asarray(grey, np.float64)
    digest = phash.perceptual_hash(levels)
    return Picture(
        width=width,
        height=height,
        extension=extension,
        phash=digest,
        bands=[] if phash.is_plain(levels) else phash.bands(digest),
    )


def _small_grey(image: Image.Image) -> Image.Image:
    """The picture as SIDE x SIDE grey levels; transparency becomes white, as for the models."""
    size = (phash.SIDE, phash.SIDE)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        small = image.convert("RGBA").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        white = Image.new("RGBA", size, "white")
        return ImageOps.grayscale(Image.alpha_composite(white, small))
    return ImageOps.grayscale(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
