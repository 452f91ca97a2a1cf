"""Near-identical images of a manifest, and those of them whose answers contradict each other."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ml import phash
from ml.copies import compare, prepare
from ml.errors import Cancelled
from ml.images import open_image, read_ahead
from ml.models.base import ShouldStop
from ml.progress import Progress

REPORTED = 200  # images between two reports


def near_duplicates(
    paths: Sequence[Path], *, progress: Progress, should_stop: ShouldStop
) -> list[tuple[int, int]]:
    """Pairs i < j of images whose perceptual hashes are near; an even surface is near nothing.

    Raises:
        InputError: an image cannot be read.
        Cancelled: `should_stop` became true.
    """
    hashes, places = [], []
    for i, digest in enumerate(read_ahead(_hash, paths)):
        if should_stop():
            raise Cancelled
        if i % REPORTED == 0:
            progress.report("hash images", 0.5 * i / len(paths))
        if digest is not None:
            hashes.append(digest)
            places.append(i)
    table = np.array(hashes, np.uint8).reshape(len(hashes), -1)
    found: list[tuple[int, int]] = []
    for i in range(len(table)):
        if should_stop():
            raise Cancelled
        if i % REPORTED == 0:
            progress.report("compare hashes", 0.5 + 0.5 * i / len(table))
        found += [(places[i], places[j]) for j in phash.near_after(table, i)]
    return found


def _hash(path: Path) -> np.ndarray | None:
    size = (phash.SIDE, phash.SIDE)
    grey = ImageOps.grayscale(open_image(path))
    small = grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    levels = np.asarray(small, np.float64)
    if phash.is_plain(levels):
        return None
    return np.frombuffer(phash.perceptual_hash(levels), np.uint8)


def contradictions(
    paths: Sequence[Path],
    near: Sequence[tuple[int, int]],
    given: np.ndarray,
    also: Sequence[Sequence[str] | None],
    labels: Sequence[str],
    *,
    should_stop: ShouldStop,
) -> list[tuple[int, int]]:
    """The pairs that are copies by `ml.copies` too, and cannot both be answered right: the hash
    sees outlines, and two goods of one kind on white may differ in their mark alone.

    Args:
        given: [n] column of the answer; negative where there is none.
        also: [n] further brands that the image shows.

    Raises:
        Cancelled: `should_stop` became true.
    """
    found = []
    for i, j in near:
        if should_stop():
            raise Cancelled
        if min(given[i], given[j]) < 0 or given[i] == given[j]:
            continue
        if labels[given[i]] in (also[j] or ()) or labels[given[j]] in (also[i] or ()):
            continue
        one, other = (prepare(np.asarray(open_image(paths[k]))) for k in (i, j))
        if compare(one, other) is not None:
            found.append((i, j))
    return found
