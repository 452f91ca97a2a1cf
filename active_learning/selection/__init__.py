"""From a scan of the pool to tasks with their reasons."""

import pyarrow as pa

from active_learning.models import Release, Round, Selection
from active_learning.selection.boxes import box_tasks
from active_learning.selection.brand import brand_tasks
from active_learning.selection.pool import read_scan
from active_learning.selection.variation import variation_tasks

__all__ = ["choose"]


def choose(*, round_: Round, release: Release, scanned: pa.Table) -> list[Selection]:
    """Everything the round asks, as unsaved Selections with unsaved Tasks, by the scores that
    `release` gave the pool.

    Task ids follow from round, kind and image: choosing again gives the same tasks.
    """
    pool = read_scan(scanned, release)
    budget = round_.config["budget"]
    chosen = brand_tasks(round_, pool, budget.get("brand", 0))
    taken = {selection.task.image_id for selection in chosen}
    chosen += box_tasks(round_, pool, budget.get("boxes", 0), taken)
    chosen += variation_tasks(round_, pool, budget.get("variation", 0))
    return chosen
