"""Variation tasks: near misses and near hits of the variation model, and a control."""

from collections import Counter

import numpy as np

from active_learning.models import Round, Selection
from active_learning.selection.pool import Scanned, threshold_of
from active_learning.selection.requests import new_selection, proposal_for
from annotation.models import Task
from ml.acquisition import Choice, near_threshold


def variation_tasks(round_: Round, pool: Scanned, budget: int) -> list[Selection]:
    """Near misses and near hits around the operating point, and a random control of a fifth."""
    if not pool.has("variation_score") or not budget:
        return []
    value = near_threshold(pool.column("variation_score"), threshold_of(pool.release, "variation"))
    rng = np.random.default_rng([round_.seed, 2])
    control = budget // 5
    order = [("random_control", row) for row in rng.permutation(len(value))[:control]]
    order += [("near_threshold", row) for row in np.argsort(-value, kind="stable")]
    groups = pool.column("group")
    seen: set = set()
    ranks: Counter[str] = Counter()
    selections: list[Selection] = []
    for strategy, row in order:
        if groups[row] in seen or len(selections) == budget:
            continue
        seen.add(groups[row])
        ranks[strategy] += 1
        propensity = control / len(value) if strategy == "random_control" else None
        selections.append(
            new_selection(
                round_,
                Task.Kind.VARIATION,
                int(pool.image_ids[row]),
                Choice(int(row), strategy, float(value[row]), ranks[strategy], None, propensity),
                focus_brand=None,
                proposal=proposal_for(pool, int(row)),
            )
        )
    return selections
