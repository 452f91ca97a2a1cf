"""What a campaign works on: embeddings and the truth."""

from dataclasses import dataclass

import numpy as np

from ml.forecast.heads import Labelled


@dataclass(frozen=True)
class Material:
    """
    Attributes:
        given: what is known before the first label is bought.
        pool: what can be bought, with the answers that a label would give.
        closed: positives that recall is measured on.
        open_: looks (n, d) of the fixed set of which one in a hundred may be flagged.
    """

    brands: int
    given: Labelled
    pool: Labelled
    closed: Labelled
    open_: np.ndarray


def with_rare_positives(
    pool: Labelled, *, brands: int, share: float, rng: np.random.Generator
) -> Labelled:
    """The pool with so few positives that they are `share` of it, brands long-tailed; nothing
    else of it is left out."""
    shown = pool.answers < brands
    rest = np.flatnonzero(~shown)
    wanted = share / (1 - share) * len(rest)
    weight = 1.0 / np.arange(1, brands + 1)
    counts = np.maximum(1, np.round(wanted * weight / weight.sum())).astype(int)
    kept = [rest]
    for brand, count in zip(rng.permutation(brands), counts, strict=True):
        kept.append(rng.permutation(np.flatnonzero(pool.answers == brand))[:count])
    return pool.only(np.sort(np.concatenate(kept)))
