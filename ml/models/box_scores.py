"""From found boxes to scores of images."""

from collections.abc import Sequence

import numpy as np

from ml.models.base import Box


def best_box_scores(boxes: Sequence[Sequence[Box] | None], brands: Sequence[str]) -> np.ndarray:
    """float32 [n, k]: each brand's highest box score in each image; 0 where there is none, NaN
    throughout where the image was not looked at. Boxes of other brands are passed over."""
    scores = np.zeros((len(boxes), len(brands)), np.float32)
    place = {brand: i for i, brand in enumerate(brands)}
    for row, found in enumerate(boxes):
        if found is None:
            scores[row] = np.nan
        for box in found or ():
            if box.brand in place:
                scores[row, place[box.brand]] = max(scores[row, place[box.brand]], box.score)
    return scores
