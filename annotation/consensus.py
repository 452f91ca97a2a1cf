"""From answers to what training reads: one row an image and kind, recomputed from its labels.

An audit outweighs everybody. Otherwise the answer is the likeliest given who said what and how well
each of them answers (`annotation.quality`). It is trusted when it is likely enough; and where
nobody is left to ask, also when the people agree or the answer clearly leads: training goes on with
what a single labeler says.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from annotation import opinions
from annotation.models import Consensus, Image, Label, Task

COPIED = ("answer", "brand_id", "excluded", "risk", "attack", "has_logo", "boxes", "variation")
UPDATED = [name.removesuffix("_id") for name in COPIED] + [
    "votes",
    "agreement",
    "posterior",
    "trusted",
    "decided_by",
    "updated_at",
]
VAL_SHARE = 10  # every tenth group
LEAD = 2.0  # times as likely as the next answer: clear
SAME_BOXES = 0.5  # of people's boxes coincide: enough to train on


@dataclass
class Decision:
    """A consensus yet to be stored. `agreed`: no two people said different things; `next_best`:
    the probability of the likeliest other answer."""

    row: Consensus
    agreed: bool = True
    next_best: float = 0.0

    def is_trusted(self, *, others_asked: bool) -> bool:
        """Whether training may read it; `others_asked`: another opinion is on its way."""
        chance = self.row.posterior
        if chance is None:
            return False
        if self.row.kind == Task.Kind.BOXES and self.row.agreement < SAME_BOXES:
            return False
        if chance >= settings.CONSENSUS_TARGET:
            return True
        if others_asked:
            return False
        # A rare brand's one answer may leave a common class likelier still; where nobody else is
        # left to contradict it, it is what there is.
        return self.agreed or chance >= LEAD * self.next_best


def refresh(*, image_ids: Iterable[int], kind: str) -> None:
    """Recompute the consensus of these images for one kind of task, settle whether their tasks are
    answered or asked of somebody else too, and move images that now have a trusted answer out of
    the pool."""
    # Only where answers are combined: what it stands on takes seconds to load.
    from annotation.beliefs import decide
    from annotation.voices import Book

    image_ids = sorted(set(image_ids))
    labels: dict[int, list[Label]] = defaultdict(list)
    for label in labels_in_force(image_ids=image_ids, kind=kind):
        labels[label.image_id].append(label)
    book: Book | None = Book(kind=kind) if labels else None
    decisions = [decide(image_labels, book) for image_labels in labels.values() if book]
    with transaction.atomic():
        asked = opinions.settle(rows=[decision.row for decision in decisions], kind=kind)
        for decision in decisions:
            decision.row.trusted = decision.is_trusted(others_asked=decision.row.image_id in asked)
        rows = [decision.row for decision in decisions]
        Consensus.objects.filter(kind=kind, image_id__in=set(image_ids) - labels.keys()).delete()
        Consensus.objects.bulk_create(
            rows,
            batch_size=500,
            update_conflicts=True,
            unique_fields=["image", "kind"],
            update_fields=UPDATED,
        )
        leave_pool(image_ids=[row.image_id for row in rows if row.trusted])


def labels_in_force(*, image_ids: Sequence[int], kind: str) -> QuerySet[Label]:
    """The labels that count, oldest first: nobody superseded or retracted them, they are not held,
    and they do not answer a gold item."""
    return (
        counting_labels()
        .filter(image_id__in=image_ids, kind=kind)
        .select_related("task", "brand", "image")
        .order_by("pk")
    )


def counting_labels() -> QuerySet[Label]:
    """As `labels_in_force`, of all images and kinds."""
    return Label.objects.filter(
        Q(task__isnull=True) | Q(task__is_gold=False),
        superseded_by__isnull=True,
        retracted=False,
        held__isnull=True,
    )


def leave_pool(*, image_ids: Iterable[int]) -> None:
    """Move images from `pool` to `train`, or to `val` for a tenth of the groups: by a hash of the
    group, so that near-duplicates never sit on both sides."""
    pooled = Image.objects.filter(pk__in=image_ids, split=Image.Split.POOL)
    for pk, group_id in pooled.values_list("pk", "group_id"):
        split = Image.Split.VAL if is_val(group_id) else Image.Split.TRAIN
        Image.objects.filter(pk=pk, split=Image.Split.POOL).update(split=split)


def is_val(group_id: int) -> bool:
    return hashlib.sha256(f"val:{group_id}".encode()).digest()[0] % VAL_SHARE == 0
