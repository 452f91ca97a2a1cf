"""Arrangement × product look: what a variation model with `look` learns and what it says.

Arrangement alone flags every collage online. Such a model therefore learns the arrangement and
whether a listed brand's product is seen as one answer, of single products too, whose look it gets
to know there; and it says collage or stack only of those that show a brand.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from ml.manifest import VARIATIONS
from ml.models.base import Predictions
from ml.models.brand_rows import KNOWN

ARRANGEMENTS = list(VARIATIONS)
JOINT = [*ARRANGEMENTS, *(f"{name} with a brand" for name in ARRANGEMENTS)]


def arrangement_names(table: pa.Table, *, look: bool) -> np.ndarray:
    """object [n]: the class of each row of known `variation`: of ARRANGEMENTS, or with `look` of
    JOINT, and None where nobody said whether a brand is shown."""
    kinds = np.array(table["variation"].to_pylist(), dtype=object)
    if not look:
        return kinds
    answers = table["answer"].to_pylist()
    names = [dict(zip(ARRANGEMENTS, part, strict=True)) for part in (JOINT[:3], JOINT[3:])]
    return np.array(
        [
            names[answer == "brand"][kind] if answer in KNOWN else None
            for kind, answer in zip(kinds, answers, strict=True)
        ],
        dtype=object,
    )


def other_arrangements(table: pa.Table) -> np.ndarray:
    """bool [n, 6]: the classes of JOINT that a row's arrangement alone rules out."""
    kinds = np.array(table["variation"].to_pylist(), dtype=object)
    return kinds[:, None] != np.array(2 * ARRANGEMENTS, dtype=object)[None]


def as_arrangements(found: Predictions) -> Predictions:
    """What a model with `look` says, as probabilities of ARRANGEMENTS."""
    assert found.probabilities is not None  # noqa: S101 — such a model gives them
    return replace(found, probabilities=arrangements_of_brands(found.probabilities))


def arrangements_of_brands(joint: np.ndarray) -> np.ndarray:
    """Probabilities [n, 3] of ARRANGEMENTS from those of JOINT [n, 6]: a collage or a stack is one
    that shows a brand; all else is none."""
    found: np.ndarray = joint[:, len(ARRANGEMENTS) :].copy()
    none = ARRANGEMENTS.index("none")
    found[:, none] = 0.0
    found[:, none] = 1.0 - found.sum(axis=1)
    return found
