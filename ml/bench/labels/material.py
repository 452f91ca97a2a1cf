"""What a campaign works on: embeddings and the truth, and the images that they are of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml.forecast.heads import Labelled

Row = Mapping[str, Any]  # of a manifest


@dataclass(frozen=True)
class Images:
    """What a network is trained on instead of the head, with the answers as the campaign knows
    them.

    Attributes:
        brands: their keys, in the order of the material's numbers.
        given, pool: manifest rows, in the material's order.
        tested: its closed and open rows.
        champion: the folder of the classifier whose embeddings the material has.
    """

    brands: Sequence[str]
    given: Sequence[Row]
    pool: Sequence[Row]
    tested: Sequence[Row]
    champion: Path


@dataclass(frozen=True)
class Material:
    """
    Attributes:
        given: what is known before the first label is bought.
        pool: what can be bought, with the answers that a label would give.
        closed: positives that recall is measured on.
        open_: looks (n, d) of the fixed set of which one in a hundred may be flagged.
        online: looks (n, d) of others like them, that nobody answers: what operating points are
            set by.
        images: None where there are embeddings only.
    """

    brands: int
    given: Labelled
    pool: Labelled
    closed: Labelled
    open_: np.ndarray
    online: np.ndarray
    images: Images | None = None


def rare_positives(
    answers: np.ndarray, *, brands: int, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Places of a pool with so few positives that they are `share` of it, brands long-tailed;
    nothing else of it is left out.

    Args:
        answers: (n,) of the whole pool.

    Returns:
        (m,) ascending.
    """
    shown = answers < brands
    rest = np.flatnonzero(~shown)
    wanted = share / (1 - share) * len(rest)
    weight = 1.0 / np.arange(1, brands + 1)
    counts = np.maximum(1, np.round(wanted * weight / weight.sum())).astype(int)
    kept = [rest]
    for brand, count in zip(rng.permutation(brands), counts, strict=True):
        kept.append(rng.permutation(np.flatnonzero(answers == brand))[:count])
    return np.sort(np.concatenate(kept))
