"""Images on disk, read the same way for training, scans and evaluations."""

import os
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ml.errors import Cancelled, InputError
from ml.manifest import Manifest

S = TypeVar("S")
T = TypeVar("T")
WHITE = (255, 255, 255)
READERS = 4
# An image is first reduced by whole numbers, to no less than so many times the size asked for.
GAP = 2.0
TURNED = 5  # EXIF orientations from here on swap width and height


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
    return _open(path, least=None)[0]


def _open(path: Path, *, least: int | None) -> tuple[Image.Image, tuple[int, int]]:
    """The image, and its upright width and height in pixels.

    Args:
        least: the longer side that is enough. A JPEG decodes faster at a half, a quarter or an
            eighth of its size; it is not made smaller than this.
    """
    try:
        with Image.open(path) as file:
            width, height = file.size
            if least is not None:
                share = least / max(file.size)
                file.draft(None, (max(1, round(width * share)), max(1, round(height * share))))
            if file.getexif().get(ExifTags.Base.Orientation, 1) >= TURNED:
                width, height = height, width
            ImageOps.exif_transpose(file, in_place=True)
            image: Image.Image = file
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                rgba = image.convert("RGBA")
                paper = Image.new("RGBA", rgba.size, (*WHITE, 255))
                image = Image.alpha_composite(paper, rgba)
            return image.convert("RGB"), (width, height)
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


@dataclass(frozen=True)
class Placement:
    """Where `letterbox` puts an image in its square: `width` × `height` pixels of the square from
    `left`, `top` on, each of the image's pixels being `across` × `down` of the square's."""

    left: int
    top: int
    width: int
    height: int
    across: float
    down: float

    @classmethod
    def of(cls, width: int, height: int, size: int) -> "Placement":
        scale = size / max(width, height)
        wide, high = (max(1, round(side * scale)) for side in (width, height))
        left, top = ((size - side) // 2 for side in (wide, high))
        return cls(left, top, wide, high, wide / width, high / height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """The image's rows and columns of the square."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def into(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes [n, 4] from pixels of the image to pixels of the square."""
        return boxes * self._scales() + self._shifts()

    def out_of(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes [n, 4] from pixels of the square to pixels of the image."""
        return (boxes - self._shifts()) / self._scales()

    def _scales(self) -> np.ndarray:
        return np.array([self.across, self.down] * 2, np.float32)

    def _shifts(self) -> np.ndarray:
        return np.array([self.left, self.top] * 2, np.float32)


def letterbox(image: Image.Image, size: int, *, of: tuple[int, int] | None = None) -> np.ndarray:
    """The image scaled into a white square, uint8 [size, size, 3]; its aspect is kept.

    Args:
        of: width and height of the whole image, where `image` was decoded smaller.
    """
    place = Placement.of(*(of or image.size), size)
    inner = place.width, place.height
    small = image.resize(inner, Image.Resampling.BILINEAR, reducing_gap=GAP)
    square = np.full((size, size, 3), 255, np.uint8)
    square[place.slices] = np.asarray(small)
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


@dataclass(frozen=True)
class Letterboxed:
    """n images as networks look at them.

    Attributes:
        sizes: width and height of each, pixels.
        squares: by their side in pixels, uint8 [n, side, side, 3], letterboxed.
    """

    sizes: list[tuple[int, int]]
    squares: dict[int, np.ndarray]


def read_letterboxed(paths: Sequence[Path], sides: Collection[int]) -> Letterboxed:
    """Each image decoded once, no larger than the largest of `sides` needs, and scaled to all.

    Raises:
        InputError: an image cannot be read; the message names it.
    """
    squares = {side: np.empty((len(paths), side, side, 3), np.uint8) for side in sides}
    sizes = []
    for i, path in enumerate(paths):
        image, size = _open(path, least=round(GAP * max(sides)))
        for side, into in squares.items():
            into[i] = letterbox(image, side, of=size)
        sizes.append(size)
    return Letterboxed(sizes, squares)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_ahead(
    work: Callable[[S], T], items: Iterable[S], *, readers: int = READERS, ahead: int = 64
) -> Generator[T]:
    """`work` of every item, in order, by threads, with at most `ahead` results waiting.

    Threads are enough: Pillow decodes and scales without the interpreter's lock.
    """
    with ThreadPoolExecutor(readers) as pool:
        rest = iter(items)
        waiting: list[Future[T]] = [pool.submit(work, item) for item in islice(rest, ahead)]
        try:
            while waiting:
                result = waiting.pop(0).result()
                waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
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
