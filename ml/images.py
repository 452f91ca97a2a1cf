"""Images on disk, read the same way for training, scans and evaluations."""

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from ml.errors import Cancelled, InputError
from ml.manifest import Manifest

T = TypeVar("T")
WHITE = (255, 255, 255)
READERS = 4


def image_paths(manifest: Manifest, images: Iterable[str]) -> list[Path]:
    """Absolute paths; a relative one is relative to the manifest's folder.

    Raises:
        InputError: a file is missing (the first is named, the others counted), or is a URL.
    """
    paths = [manifest.path.parent / image for image in images]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(f"{manifest.path}: image file missing: {missing[0]}{others}")
    return paths


def open_image(path: Path) -> Image.Image:
    """Read an image as upright RGB; transparency becomes white, as shop pages show it.

    Raises:
        InputError: it cannot be read; the message names it.
    """
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                rgba = image.convert("RGBA")
                return Image.alpha_composite(
                    Image.new("RGBA", rgba.size, (*WHITE, 255)), rgba
                ).convert("RGB")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable image: {error}") from error


def image_area(path: Path) -> int:
    """Pixels of an image, from its header alone.

    Raises:
        InputError: it cannot be read; the message names it.
    """
    try:
        with Image.open(path) as file:
            return file.width * file.height
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable image: {error}") from error


def letterbox(image: Image.Image, size: int) -> np.ndarray:
    """The image scaled into a white square, uint8 [size, size, 3]; its aspect is kept."""
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    square = np.full((size, size, 3), 255, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = np.asarray(small)
    return square


def cut_out(
    image: Image.Image, corners: tuple[float, float, float, float], *, margin: float = 0.1
) -> Image.Image:
    """The part of an image within x1, y1, x2, y2 in pixels, with a margin of that share of its
    sides on every side, as far as the image goes."""
    x1, y1, x2, y2 = corners
    beside, above = margin * (x2 - x1), margin * (y2 - y1)
    left, top = max(0, round(x1 - beside)), max(0, round(y1 - above))
    right, bottom = round(x2 + beside), round(y2 + above)
    return image.crop(
        (left, top, max(left + 1, min(image.width, right)), max(top + 1, min(image.height, bottom)))
    )


def read_ahead(
    work: Callable[[Path], T], paths: Sequence[Path], *, readers: int = READERS, ahead: int = 64
) -> Generator[T]:
    """`work` of every path, in order, by threads, with at most `ahead` results waiting.

    Threads are enough: Pillow decodes and scales without the interpreter's lock.
    """
    with ThreadPoolExecutor(readers) as pool:
        rest = iter(paths)
        waiting: list[Future[T]] = [pool.submit(work, path) for path in islice(rest, ahead)]
        try:
            while waiting:
                result = waiting.pop(0).result()
                waiting.extend(pool.submit(work, path) for path in islice(rest, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def read_squares(
    paths: Sequence[Path], size: int, *, should_stop: Callable[[], bool] = lambda: False
) -> np.ndarray:
    """All images as letterboxed squares in memory, uint8 [n, size, size, 3].

    Raises:
        InputError: an image cannot be read.
        Cancelled: `should_stop` became true.
    """
    squares = np.empty((len(paths), size, size, 3), np.uint8)
    for i, square in enumerate(read_ahead(lambda path: letterbox(open_image(path), size), paths)):
        squares[i] = square
        if should_stop():
            raise Cancelled
    return squares
