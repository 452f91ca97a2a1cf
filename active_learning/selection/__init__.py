"""From a scan of the pool to tasks with their reasons."""

import pyarrow as pa

from active_learning.models import Release, Round, Selection
from active_learning.selection.boxes import box_tasks
from active_learning.selection.brand import brand_tasks
from active_learning.selection.pool import Scanned, read_scan
from active_learning.selection.suspects import suspect_tasks
from active_learning.selection.variation import variation_tasks
from ml.acquisition import SUSPECTED

__all__ = ["choose"]


def choose(*, round_: Round, release: Release, scanned: pa.Table) -> list[Selection]:
    """Everything the round asks, as unsaved Selections with unsaved Tasks, by the scores that
    `release` gave the pool.

    Task ids follow from round, kind and image: choosing again gives the same tasks.
    """
    pool = read_scan(scanned, release)
    budget = round_.config["budget"]
    chosen = _brand_tasks(round_, pool, budget.get("brand", 0))
    taken = {selection.task.image_id for selection in chosen}
    chosen += box_tasks(round_, pool, budget.get("boxes", 0), taken)
    chosen += variation_tasks(round_, pool, budget.get("variation", 0))
    return chosen


def _brand_tasks(round_: Round, pool: Scanned, budget: int) -> list[Selection]:
    """Suspected labels first, as far as there are any; the mix has what they leave."""
    mix = dict(round_.config["mix"])
    share = mix.pop(SUSPECTED, 0.0)
    suspects = suspect_tasks(round_, pool.release, round(budget * share))
    rest = {name: of_all / (1 - share) for name, of_all in mix.items()} if share < 1 else {}
    return suspects + brand_tasks(round_, pool, budget - len(suspects), mix=rest)
