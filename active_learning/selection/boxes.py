"""Box tasks: what the detector misses, and its false alarms."""

from collections.abc import Iterator

import numpy as np

from active_learning.models import Round, Selection
from active_learning.selection.pool import Scanned, brands_by_key
from active_learning.selection.requests import new_selection, proposal_for
from annotation.models import Brand, Consensus, Task
from ml.acquisition import Choice, detector_false_alarms, detector_misses


def box_tasks(round_: Round, pool: Scanned, budget: int, taken: set[int]) -> list[Selection]:
    """Half to what the detector seems to miss, half to its false alarms; either takes what the
    other leaves."""
    misses = list(_misses(round_, budget))
    alarms = list(_false_alarms(round_, pool, budget, taken))
    half = min(len(misses), max(budget - budget // 2, budget - len(alarms)))
    return misses[:half] + alarms[: budget - half]


def _misses(round_: Round, budget: int) -> Iterator[Selection]:
    """Images with a trusted answer for a brand that has a registered mark, not boxed yet; those
    where the detector had found least first."""
    brands = Brand.objects.filter(
        guidelines__state="published", guidelines__features__registered=True
    ).in_bulk()
    answered = (
        Consensus.objects.filter(
            kind=Task.Kind.BRAND,
            trusted=True,
            brand__in=brands,
            image__split__in=["train", "val"],
        )
        .exclude(image__tasks__kind=Task.Kind.BOXES)
        .exclude(image__consensus__kind=Task.Kind.BOXES)
        .exclude(has_logo=False)
        .filter(decided_by__source="labeler")
        .select_related("decided_by__task")
        .order_by("pk")
    )
    rows = []
    for consensus in answered:
        brand = brands[consensus.brand_id]
        proposal = consensus.decided_by.task.proposal if consensus.decided_by.task else {}
        found = [box["score"] for box in proposal.get("boxes", []) if box["brand"] == brand.key]
        rows.append((max(found, default=0.0), consensus.image_id, brand, proposal))
    if not rows:
        return
    value = detector_misses(np.array([found for found, *_ in rows]))
    for rank, row in enumerate(np.argsort(-value, kind="stable")[:budget], start=1):
        _, image_id, brand, proposal = rows[row]
        yield new_selection(
            round_,
            Task.Kind.BOXES,
            image_id,
            Choice(int(row), "detector_miss", float(value[row]), rank, None, None),
            focus_brand=brand,
            proposal=proposal | {"brand": brand.key},
        )


def _false_alarms(
    round_: Round, pool: Scanned, budget: int, taken: set[int]
) -> Iterator[Selection]:
    """Pool images with a confident box of a brand that the classifier does not see."""
    if not pool.has("detector_boxes"):
        return
    column = {key: index for index, key in enumerate(pool.brands)}
    found = []
    for row, boxes in enumerate(pool.table["detector_boxes"].to_pylist()):
        listed = [box for box in boxes or [] if box["brand"] in column]
        if listed and int(pool.image_ids[row]) not in taken:
            found.append((row, max(listed, key=lambda box: box["score"])))
    if not found:
        return
    value = detector_false_alarms(
        np.array([box["score"] for _, box in found]),
        np.array([pool.score_of(row, column[box["brand"]]) for row, box in found]),
    )
    brands = brands_by_key(pool.brands)
    groups = pool.column("group")
    seen: set = set()
    for place in np.argsort(-value, kind="stable"):
        row, box = found[place]
        if groups[row] in seen:
            continue
        seen.add(groups[row])
        key = box["brand"]
        yield new_selection(
            round_,
            Task.Kind.BOXES,
            int(pool.image_ids[row]),
            Choice(row, "detector_false_alarm", float(value[place]), len(seen), column[key], None),
            focus_brand=brands[key],
            proposal=proposal_for(pool, row) | {"brand": key, "boxes": [box]},
        )
        if len(seen) == budget:
            return
