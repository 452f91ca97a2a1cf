"""Which class an explanation is about."""

from collections.abc import Sequence

import numpy as np

from ml.errors import InputError
from ml.models.brand_rows import BACKGROUND


def choose(scores: np.ndarray, labels: Sequence[str], label: str | None) -> int:
    """The index of `label`, or where it is None of the best class that is not the background:
    what speaks for `none` is all of the picture.

    Args:
        scores: [k] by `labels`.

    Raises:
        InputError: there is no such label.
    """
    if label is None:
        shown = [i for i, name in enumerate(labels) if name != BACKGROUND]
        return max(shown, key=lambda i: float(scores[i]))
    if label not in labels:
        raise InputError(f"this model does not know {label!r}; it knows {', '.join(labels)}")
    return list(labels).index(label)
