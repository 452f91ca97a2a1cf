"""Which negatives train: how many a brand, and what share of them is hard."""

from collections.abc import Sequence
from itertools import chain, zip_longest

import numpy as np


def choose_negatives(
    hard_for: Sequence[Sequence[str]],
    hard: np.ndarray,
    *,
    budget: int | None,
    hard_share: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Row numbers of the background rows to train on.

    Args:
        hard_for: the brands each row was ruled out for; a hard row may have none named.
        hard: bool [n], rows known to look like some brand.
        budget: how many in all; None takes every row.
        hard_share: share of the budget for hard rows. Where there are too few of one sort, the
            other fills up.

    Hard rows are taken brand by brand in turn, so that no brand gets another's negatives: more
    negatives raise a brand's precision and lower its recall.
    """
    n = len(hard)
    if budget is None or budget >= n:
        return np.arange(n)
    by_brand: dict[str, list[int]] = {}
    for row in rng.permutation(np.flatnonzero(hard)):
        for brand in hard_for[row] or ("",):
            by_brand.setdefault(brand, []).append(int(row))
    turns = zip_longest(*(by_brand[brand] for brand in sorted(by_brand)))
    hard_rows = list(dict.fromkeys(row for row in chain(*turns) if row is not None))
    easy_rows = rng.permutation(np.flatnonzero(~hard)).tolist()
    wanted = min(len(hard_rows), max(round(budget * hard_share), budget - len(easy_rows)))
    return np.sort(np.array(hard_rows[:wanted] + easy_rows[: budget - wanted], dtype=int))
