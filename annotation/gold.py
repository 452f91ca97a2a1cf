"""Gold: images whose right answer is known, asked like all others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit
from annotation.gold_turns import draw
from annotation.models import Brand, GoldItem, Image, Task
from annotation.models.label import Answer, Variation
from annotation.tasking import create_tasks, withdraw_tasks

if TYPE_CHECKING:  # labels judges by gold answers: it comes first
    from annotation.labels import Content

STRATEGY = "gold"
PRIORITY = 1e6  # in the outbox only: it must be there before it is due
KNOWN = (Answer.BRAND, Answer.NONE, Answer.OTHER)
CANDIDATES = 6


class GoldError(Exception):
    """An item that cannot be gold, or is already; one that is retired already."""


def add_gold(
    *,
    image: Image,
    kind: str,
    content: "Content",
    explanation: str,
    by: User | None,
    focus_brand: Brand | None = None,
) -> GoldItem:
    """Make an image a gold item: from now on it is mixed in unseen. `focus_brand` is what a box
    task asks for, when the boxes do not say it themselves.

    Raises:
        GoldError: the answer is not one that can be right or wrong, or the image is gold already.
    """
    _check(kind, content)
    focus = focus_brand or _focus(image, kind, content)
    try:
        with transaction.atomic():
            task = _task(image, kind, content, focus)
            create_tasks(tasks=[task])
            item = GoldItem.objects.create(
                image=image,
                kind=kind,
                answer=content.answer if kind == Task.Kind.BRAND else "",
                brand=content.brand if content.answer == Answer.BRAND else None,
                variation=content.variation if kind == Task.Kind.VARIATION else "",
                boxes=list(content.boxes or []) if kind == Task.Kind.BOXES else None,
                explanation=explanation.strip(),
                task=task,
                added_by=by,
            )
            audit.note(action="add_gold", subject=item, by=by, after=_said(item))
    except IntegrityError as error:
        raise GoldError(_("This image is a gold item of this kind already.")) from error
    return item


def retire_gold(*, item: GoldItem, by: User | None, why: str = "") -> GoldItem:
    """Show an item no more. What was answered to it still counts for those who did.

    Raises:
        GoldError: it is retired already.
    """
    with transaction.atomic():
        moved = GoldItem.objects.filter(pk=item.pk, state=GoldItem.State.ACTIVE).update(
            state=GoldItem.State.RETIRED, retired_at=timezone.now()
        )
        if not moved:
            raise GoldError(_("This item is retired already."))
        if item.task_id is not None:
            withdraw_tasks(task_ids=[item.task_id])
        audit.note(
            action="retire_gold",
            subject=item,
            by=by,
            before={"state": GoldItem.State.ACTIVE},
            after={"state": GoldItem.State.RETIRED},
            why=why.strip(),
        )
    item.refresh_from_db()
    return item


def _check(kind: str, content: "Content") -> None:
    if kind not in Task.Kind.values:
        raise GoldError(_("There is no such kind of task: %(kind)s.") % {"kind": kind})
    if kind == Task.Kind.BRAND and content.answer not in KNOWN:
        raise GoldError(_("Gold needs an answer that can be right: a brand, none or another."))
    if kind == Task.Kind.BRAND and (content.answer == Answer.BRAND) != (content.brand is not None):
        raise GoldError(_("Name the brand, and only where the answer is one."))
    if kind == Task.Kind.VARIATION and content.variation not in Variation.values:
        raise GoldError(_("Say whether it is a collage, a stack or neither."))
    if kind == Task.Kind.BOXES and content.boxes is None:
        raise GoldError(_("Gold of boxes needs the boxes; none is an answer too."))


def _focus(image: Image, kind: str, content: "Content") -> Brand | None:
    """The brand its task is about, where it has to name one."""
    if kind != Task.Kind.BOXES:
        return _asked_before(image, kind)
    keys = {str(box["brand"]) for box in content.boxes or []}
    if len(keys) > 1:
        raise GoldError(_("One brand an image: these boxes name several."))
    found = Brand.objects.filter(key__in=keys).first() if keys else _asked_before(image, kind)
    if found is None:
        raise GoldError(_("Say which brand's marks are to be boxed."))
    return found


def _asked_before(image: Image, kind: str) -> Brand | None:
    task = _last_task(image, kind)
    return task.focus_brand if task else None


def _last_task(image: Image, kind: str) -> Task | None:
    tasks = Task.objects.filter(image=image, kind=kind, is_gold=False, only_for__isnull=True)
    return tasks.select_related("focus_brand").order_by("-created_at").first()


def _task(image: Image, kind: str, content: "Content", focus: Brand | None) -> Task:
    """Blind like a part of all tasks, with brands on its keys like any: nothing tells it apart."""
    before = _last_task(image, kind)
    proposal = dict(before.proposal) if before else {}
    if kind == Task.Kind.BRAND and not proposal.get("candidates"):
        proposal["candidates"] = _candidates(image, content)
    return Task(
        image=image,
        kind=kind,
        strategy=STRATEGY,
        is_gold=True,
        blind=True,
        focus_brand=focus,
        proposal=proposal,
        priority=PRIORITY,
    )


def _candidates(image: Image, content: "Content") -> list[str]:
    """Brands as a model might offer them: the right one among others, anywhere."""
    keys = Brand.objects.filter(state=Brand.State.LISTED).values_list("key", flat=True)
    drawn: Sequence[str] = sorted(keys, key=lambda key: draw("gold", image.pk, key))
    offered = [key for key in drawn if content.brand is None or key != content.brand.key]
    if content.brand is not None:
        offered = [content.brand.key, *offered[: CANDIDATES - 1]]
    return sorted(offered[:CANDIDATES], key=lambda key: draw("place", image.pk, key))


def _said(item: GoldItem) -> dict:
    return {
        "kind": item.kind,
        "answer": item.answer,
        "brand": item.brand.key if item.brand else None,
        "variation": item.variation,
        "boxes": item.boxes,
        "image": item.image.sha256,
    }
