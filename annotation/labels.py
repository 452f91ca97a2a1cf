"""Writing labels down. Every way in (Label Studio's webhook and poll, imports, audits) ends here,
and every write may be repeated."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from django.contrib.auth.models import User
from django.db import transaction

from annotation import consensus, holds
from annotation.assignments import reopen_assignment, settle_assignment
from annotation.audit import note_label_change
from annotation.models import Brand, GuidelineVersion, Image, Label, Task
from annotation.questions import open_question
from annotation.returns import last_of_line, replaced_label, settle_return


@dataclass(frozen=True)
class Content:
    """What a label says. `boxes` are `{x1, y1, x2, y2, brand}` in pixels: None = not asked,
    empty = looked and there is none."""

    answer: str = ""
    brand: Brand | None = None
    excluded: Sequence[str] = ()
    risk: str = ""
    attack: str = ""
    has_logo: bool | None = None
    boxes: Sequence[dict] | None = None
    variation: str = ""
    question: str = ""

    def fields(self) -> dict:
        """As keyword arguments of Label."""
        values = {name: getattr(self, name) for name in asdict(Content())}
        values["excluded"] = list(self.excluded)
        values["boxes"] = None if self.boxes is None else list(self.boxes)
        return values


def record_label(
    *,
    image: Image,
    kind: str,
    content: Content,
    source: str,
    by: User | None = None,
    task: Task | None = None,
    guideline: GuidelineVersion | None = None,
    proposal_shown: bool = False,
    remote_id: int | None = None,
    remote_hash: str = "",
    seconds: float | None = None,
) -> Label | None:
    """Write one answer and everything that follows from it, in one transaction.

    With `remote_id`, a revision already written (same `remote_hash`) is left alone and None is
    returned; a new one supersedes the last. The answer to a returned task supersedes the label
    that was returned. Whether the task is answered now, or asked of somebody else too, is settled
    with the consensus.
    """
    with transaction.atomic():
        previous = _lock_and_find(task=task, remote_id=remote_id)
        if previous is not None and previous.remote_hash == remote_hash and not previous.retracted:
            return None
        if previous is not None:
            previous = last_of_line(label=previous)
        elif task is not None:
            previous = replaced_label(task=task, by=by)
        label = Label.objects.create(
            image=image,
            kind=kind,
            source=source,
            by=by,
            task=task,
            guideline=guideline,
            proposal_shown=proposal_shown,
            remote_id=remote_id,
            remote_hash=remote_hash,
            seconds=seconds,
            supersedes=previous,
            **content.fields(),
        )
        if task is not None:
            settle_assignment(task=task, user=by)
            settle_return(task=task)
        open_question(label=label)
        note_label_change(label)
        if task is not None and task.is_gold:
            # It says how well the person answers, and nothing about what training reads.
            holds.check(user=by, kind=kind)
            return label
        holds.hold_back(label=label)
        consensus.refresh(image_ids=[image.pk], kind=kind)
    return label


def retract_label(*, remote_id: int) -> Label | None:
    """Note that an annotation was deleted in Label Studio: a row that supersedes and says nothing.
    Its task is open again when no other answer is left. Returns None when there is nothing to do.
    """
    with transaction.atomic():
        task = Task.objects.filter(labels__remote_id=remote_id).first()
        previous = _lock_and_find(task=task, remote_id=remote_id)
        if previous is None or previous.retracted or hasattr(previous, "superseded_by"):
            return None
        label = Label.objects.create(
            image_id=previous.image_id,
            kind=previous.kind,
            source=previous.source,
            by_id=previous.by_id,
            task=task,
            remote_id=remote_id,
            supersedes=previous,
            retracted=True,
        )
        if (
            task is not None
            and not task.labels.filter(superseded_by__isnull=True, retracted=False).exists()
        ):
            Task.objects.filter(pk=task.pk, state=Task.State.ANSWERED).update(
                state=Task.State.PUSHED, answered_at=None
            )
        if task is not None:
            reopen_assignment(task=task, user=previous.by)
            settle_return(task=task)
        open_question(label=label)
        note_label_change(label)
        if task is None or not task.is_gold:
            consensus.refresh(image_ids=[previous.image_id], kind=previous.kind)
    return label


def _lock_and_find(*, task: Task | None, remote_id: int | None) -> Label | None:
    """The last revision of an annotation, with its task locked: webhook and poll may bring the
    same revision at the same moment. An answer to the task when it was returned may have
    superseded it."""
    if task is not None:
        Task.objects.select_for_update().get(pk=task.pk)
    if remote_id is None:
        return None
    return Label.objects.filter(remote_id=remote_id).order_by("-pk").first()


def import_labels(*, items: Iterable[tuple[Image, str, Content]]) -> int:
    """Write what a trusted source says of images; what it already said is not said twice.

    Returns the number of labels written.
    """
    items = list(items)
    written = 0
    for kind in Task.Kind.values:
        wanted = [(image, content) for image, item_kind, content in items if item_kind == kind]
        with transaction.atomic():
            written += _import_kind(kind=kind, wanted=wanted)
    return written


def _import_kind(*, kind: str, wanted: list[tuple[Image, Content]]) -> int:
    image_ids = [image.pk for image, _ in wanted]
    known = {
        label.image_id: label
        for label in Label.objects.filter(
            image_id__in=image_ids,
            kind=kind,
            source=Label.Source.IMPORT,
            superseded_by__isnull=True,
        )
    }
    new = []
    for image, content in wanted:
        fields = content.fields()
        previous = known.get(image.pk)
        if previous and all(getattr(previous, name) == value for name, value in fields.items()):
            continue
        new.append(
            Label(image=image, kind=kind, source=Label.Source.IMPORT, supersedes=previous, **fields)
        )
    Label.objects.bulk_create(new, batch_size=500)
    consensus.refresh(image_ids=[label.image_id for label in new], kind=kind)
    return len(new)
