"""Boxed rows of a manifest as arrays in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ml.errors import Cancelled
from ml.images import Placement, image_paths, letterbox, open_image, read_ahead
from ml.manifest import Manifest


@dataclass(frozen=True)
class BoxedImages:
    """n images.

    Attributes:
        images: uint8 [n, s, s, 3], letterboxed RGB.
        boxes: for each image float32 [m, 4], x1 y1 x2 y2 in pixels of the square.
        classes: for each image int64 [m].
    """

    images: np.ndarray
    boxes: list[np.ndarray]
    classes: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def as_one_class(self) -> "BoxedImages":
        """The same boxes, all of class 0."""
        return replace(self, classes=[np.zeros_like(classes) for classes in self.classes])


def read_boxed_images(
    manifest: Manifest,
    table: pa.Table,
    labels: Sequence[str],
    size: int,
    should_stop: Callable[[], bool],
) -> BoxedImages:
    """Boxes of brands that are not in `labels` are left out.

    Raises:
        InputError: an image is missing or cannot be read.
        Cancelled: `should_stop` became true.
    """
    place = {name: i for i, name in enumerate(labels)}
    images = np.empty((len(table), size, size, 3), np.uint8)
    boxes, classes = [], []
    paths = image_paths(manifest, table["image"].to_pylist())
    rows = zip(table["boxes"].to_pylist(), read_ahead(open_image, paths), strict=True)
    for i, (known, image) in enumerate(rows):
        if should_stop():
            raise Cancelled
        images[i] = letterbox(image, size)
        listed = [box for box in known if box["brand"] in place]
        corners = [[box[side] for side in ("x1", "y1", "x2", "y2")] for box in listed]
        within = np.array(corners, np.float32).reshape(-1, 4).clip(0, [*image.size] * 2)
        boxes.append(Placement.of(*image.size, size).into(within).astype(np.float32))
        classes.append(np.array([place[box["brand"]] for box in listed], np.int64))
    return BoxedImages(images, boxes, classes)
