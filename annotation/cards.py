"""What an image card shows: a picture, its boxes, and a few words about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.models import Brand, Image, Label, Task


@dataclass(frozen=True)
class Card:
    """`agrees`: whether a person's answer is the model's proposal; None when there is none, or it
    was not asked. `waits`: an answer is still to come. `boxes` (people's)
    and `proposed_boxes` (the model's) are `{x1, y1, x2, y2, brand}` in pixels."""

    image: Image
    title: str = ""
    boxes: Sequence[dict] = ()
    proposed_boxes: Sequence[dict] = ()
    answer: str = ""
    proposal: str = ""
    agrees: bool | None = None
    score: float | None = None
    reason: str = ""
    waits: bool = False
    by: str = ""
    at: datetime | None = None
    details: Sequence[tuple[str, str]] = field(default_factory=list)


def brand_names(keys: Iterable[str]) -> dict[str, str]:
    """Names by key; one query."""
    return {brand.key: str(brand) for brand in Brand.objects.filter(key__in=set(keys))}


def proposed_keys(tasks: Iterable[Task | None]) -> set[str]:
    """Keys of the brands that the tasks' proposals name."""
    return {task.proposal["brand"] for task in tasks if task and task.proposal.get("brand")}


def answer_text(label: Label) -> str:
    """What a label says, in words."""
    if label.retracted:
        return _("taken back")
    if label.brand is not None:
        return str(label.brand)
    if label.answer:
        return _(label.get_answer_display())
    if label.kind == Task.Kind.VARIATION:
        return _(label.get_variation_display())
    if not label.boxes:
        return _("no box")
    count = len(label.boxes)
    return ngettext("%(count)d box", "%(count)d boxes", count) % {"count": count}


def proposal_text(task: Task | None, names: dict[str, str]) -> str:
    """What the model proposed, in words; empty when it said nothing."""
    proposal = task.proposal if task else {}
    if task is None or not proposal:
        return ""
    if task.kind == Task.Kind.VARIATION:
        return _(proposal["variation"]) if proposal.get("variation") else ""
    if task.kind == Task.Kind.BOXES:
        boxes = proposal.get("boxes") or []
        return ngettext("%(count)d box", "%(count)d boxes", len(boxes)) % {"count": len(boxes)}
    if proposal.get("answer") == "none":
        return _("no brand")
    return names.get(proposal.get("brand", ""), proposal.get("brand", ""))


def agrees(label: Label, task: Task | None) -> bool | None:
    """Whether the answer is what the model proposed; boxes hardly ever coincide and are not
    compared."""
    if task is None or not task.proposal or label.retracted or label.answer == "unsure":
        return None
    if label.kind == Task.Kind.VARIATION and "variation" in task.proposal:
        return label.variation == task.proposal["variation"]
    if label.kind != Task.Kind.BRAND or "answer" not in task.proposal:
        return None
    if task.proposal["answer"] == "none":
        return label.answer in ("none", "other")
    return label.brand is not None and label.brand.key == task.proposal.get("brand")


def label_cards(labels: Sequence[Label]) -> list[Card]:
    """Cards of labels that carry image, product, brand, task and person with them."""
    names = brand_names(proposed_keys(label.task for label in labels))
    return [label_card(label, names) for label in labels]


def label_card(label: Label, names: dict[str, str]) -> Card:
    task = label.task
    return Card(
        image=label.image,
        title=label.image.product.title if label.image.product else "",
        boxes=label.boxes or [],
        answer=answer_text(label),
        proposal=proposal_text(task, names),
        agrees=agrees(label, task),
        score=task.proposal.get("score") if task else None,
        reason=task.strategy if task else label.get_source_display(),
        by=label.by.get_username() if label.by else "",
        at=label.created_at,
    )
