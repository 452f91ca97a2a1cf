"""Box tasks: what the detector misses, its small logos, and its false alarms."""

from collections.abc import Iterator

import numpy as np
from django.db.models import QuerySet

from active_learning.models import Round, Selection
from active_learning.selection.pool import Scanned, brands_by_key
from active_learning.selection.requests import new_selection, proposal_for
from annotation.models import Brand, Consensus, Image, Task
from ml.acquisition import Choice, detector_false_alarms, detector_misses, small_logos


def box_tasks(round_: Round, pool: Scanned, budget: int, taken: set[int]) -> list[Selection]:
    """Half to what the detector seems to miss, a quarter to its small logos, the rest to its false
    alarms; each takes what those before it leave, and the misses what the others do."""
    misses = list(_misses(round_, budget))
    half = min(len(misses), budget - budget // 2)
    seen = _Seen(pool, taken)
    asked = seen.ask(round_, "small_logo", min(budget // 4, budget - half))
    asked += seen.ask(round_, "detector_false_alarm", budget - half - len(asked))
    return misses[: budget - len(asked)] + asked


class _Seen:
    """Pool images in which the detector sees a listed brand."""

    def __init__(self, pool: Scanned, taken: set[int]) -> None:
        """
        Args:
            taken: images that are asked for their brand already.
        """
        self._pool, self._column = pool, {key: i for i, key in enumerate(pool.brands)}
        self._rows: list[int] = []
        self._boxes: list[dict] = []  # each row's surest
        if pool.has("detector_boxes"):
            for row, boxes in enumerate(pool.table["detector_boxes"].to_pylist()):
                listed = [box for box in boxes or [] if box["brand"] in self._column]
                if listed and int(pool.image_ids[row]) not in taken:
                    self._rows.append(row)
                    self._boxes.append(max(listed, key=lambda box: box["score"]))
        self._brands = brands_by_key(pool.brands)
        self._groups = pool.column("group")
        self._asked: set = set()  # groups

    def ask(self, round_: Round, strategy: str, count: int) -> list[Selection]:
        """The `count` items that a strategy values most, one of a near-duplicate group; no group
        that was asked before."""
        if not self._rows or not count:
            return []
        value = self._values(strategy)
        chosen: list[Selection] = []
        for place in np.argsort(-value, kind="stable"):
            row, box = self._rows[place], self._boxes[place]
            if len(chosen) == count or value[place] <= 0:
                break
            if self._groups[row] in self._asked:
                continue
            self._asked.add(self._groups[row])
            key = box["brand"]
            rank = len(chosen) + 1
            chosen.append(
                new_selection(
                    round_,
                    Task.Kind.BOXES,
                    int(self._pool.image_ids[row]),
                    Choice(row, strategy, float(value[place]), rank, self._column[key], None),
                    focus_brand=self._brands[key],
                    proposal=proposal_for(self._pool, row) | {"brand": key, "boxes": [box]},
                )
            )
        return chosen

    def _values(self, strategy: str) -> np.ndarray:
        scores = np.array([box["score"] for box in self._boxes])
        if strategy == "small_logo":
            return small_logos(scores, self._shares())
        by_classifier = [
            self._pool.score_of(row, self._column[box["brand"]])
            for row, box in zip(self._rows, self._boxes, strict=True)
        ]
        return detector_false_alarms(scores, np.array(by_classifier))

    def _shares(self) -> np.ndarray:
        """Of its picture, that each box covers."""
        ids = [int(self._pool.image_ids[row]) for row in self._rows]
        sides = Image.objects.filter(pk__in=ids).values_list("pk", "width", "height")
        area = {pk: width * height for pk, width, height in sides}
        covered = [(box["x2"] - box["x1"]) * (box["y2"] - box["y1"]) for box in self._boxes]
        return np.array([c / area[pk] for c, pk in zip(covered, ids, strict=True)])


def unboxed() -> QuerySet[Consensus]:
    """Trusted answers of labelers for a brand that has a registered mark, whose image nobody has
    boxed or been asked to."""
    registered = Brand.objects.filter(
        guidelines__state="published", guidelines__features__registered=True
    )
    return (
        Consensus.objects.filter(
            kind=Task.Kind.BRAND,
            trusted=True,
            brand__in=registered,
            image__split__in=["train", "val"],
        )
        .exclude(image__tasks__kind=Task.Kind.BOXES)
        .exclude(image__consensus__kind=Task.Kind.BOXES)
        .exclude(has_logo=False)
        .filter(decided_by__source="labeler")
        .select_related("brand", "decided_by__task")
        .order_by("pk")
    )


def box_proposal(consensus: Consensus) -> dict:
    """What the model thought when the brand was asked, for the box task of that brand."""
    asked = consensus.decided_by.task
    brand = consensus.brand
    return (asked.proposal if asked else {}) | ({"brand": brand.key} if brand else {})


def _misses(round_: Round, budget: int) -> Iterator[Selection]:
    """Images of `unboxed`; those where the detector had found least first."""
    rows = []
    for consensus in unboxed():
        proposal = box_proposal(consensus)
        found = [
            box["score"] for box in proposal.get("boxes", []) if box["brand"] == proposal["brand"]
        ]
        rows.append((max(found, default=0.0), consensus.image_id, consensus.brand, proposal))
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
            proposal=proposal,
        )
