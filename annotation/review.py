"""Reviewers' verdicts on what the models flagged.

A verdict is a label of source `audit` on the image, so it outweighs labelers and is what the next
training reads. One brand an image: a verdict closes every open flag of its image, those of the
brand it names as confirmed (when there is a risk at all), the others as corrected.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit, consensus
from annotation.guidelines import published_guideline
from annotation.labels import Content, record_label
from annotation.models import AuditEntry, Brand, Consensus, Flag, Image, Label, MissedRisk
from annotation.models.image import ImageGroup
from annotation.models.label import Answer, Risk
from annotation.models.task import Task

DECIDED = (Flag.State.CONFIRMED, Flag.State.CORRECTED)


class ReviewError(Exception):
    """A verdict that cannot be given, in words for the reviewer."""


@dataclass(frozen=True)
class Verdict:
    """What a reviewer sees in an image. `risk` goes with a brand alone; a brand without one is
    shown by right, or not worth acting on."""

    answer: str
    brand: Brand | None = None
    risk: str = ""

    def check(self) -> None:
        """Raises ReviewError unless it makes sense."""
        if self.answer not in Answer.values or self.risk not in ("", *Risk.values):
            raise ReviewError(_("That is no verdict."))
        if (self.answer == Answer.BRAND) != (self.brand is not None):
            raise ReviewError(_("Name the brand that is to be seen."))
        if self.risk and self.brand is None:
            raise ReviewError(_("A risk needs a brand."))

    def settles(self, flag: Flag) -> str:
        """The state that a flag is in after it."""
        is_found = self.brand is not None and self.brand.pk == flag.brand_id and self.risk
        return Flag.State.CONFIRMED if is_found else Flag.State.CORRECTED


def decide(*, flag: Flag, verdict: Verdict, by: User) -> Label:
    """Give a verdict on a flagged image.

    Raises:
        ReviewError: somebody decided it meanwhile, it was withdrawn, or as `give_verdict`.
    """
    with transaction.atomic():
        now = Flag.objects.select_for_update(of=("self",)).select_related("decided_by", "image")
        current = now.get(pk=flag.pk)
        if current.state == Flag.State.WITHDRAWN:
            raise ReviewError(_("This flag was withdrawn: the newest release raises it no more."))
        if current.state != Flag.State.OPEN:
            raise ReviewError(
                _("%(who)s has decided this already.") % {"who": current.decided_by or "–"}
            )
        return give_verdict(image=current.image, verdict=verdict, by=by)


def give_verdict(*, image: Image, verdict: Verdict, by: User) -> Label:
    """Write a verdict on an image, flagged or not, and close its open flags; `unsure` leaves them
    open, behind those that nobody has looked at.

    Raises:
        ReviewError: the verdict makes no sense, or the image is test material, which nobody may
            judge with the models' word before them.
    """
    verdict.check()
    with transaction.atomic():
        image = Image.objects.select_for_update().get(pk=image.pk)
        if image.role == ImageGroup.Role.TEST:
            raise ReviewError(
                _("This picture is test material: it is not judged beside what models say of it.")
            )
        label = write_verdict(image=image, verdict=verdict, by=by)
        close_flags(image=image, verdict=verdict, label=label, by=by, at=timezone.now())
    return label


def write_verdict(*, image: Image, verdict: Verdict, by: User, why: str = "") -> Label:
    """The audit label and its note; flags are the caller's."""
    label = record_label(
        image=image,
        kind=Task.Kind.BRAND,
        content=Content(answer=verdict.answer, brand=verdict.brand, risk=verdict.risk),
        source=Label.Source.AUDIT,
        by=by,
        guideline=published_guideline(brand=verdict.brand) if verdict.brand else None,
        proposal_shown=True,
    )
    if label is None:  # only annotations of Label Studio can be written twice
        raise ReviewError(_("That verdict is written already."))
    audit.note(
        action="verdict",
        subject=label,
        by=by,
        before={"split": image.split, "image": image.sha256},
        after=asdict(verdict) | {"brand": verdict.brand.key if verdict.brand else None},
        why=why,
    )
    return label


def close_flags(
    *,
    image: Image,
    verdict: Verdict,
    label: Label,
    by: User,
    at: datetime,
    copied_from: Image | None = None,
) -> int:
    """Settle the image's open flags by a verdict; returns how many there were."""
    flags = Flag.objects.select_for_update().filter(image=image, state=Flag.State.OPEN)
    for flag in flags:
        flag.verdict, flag.copied_from = label, copied_from
        if verdict.answer != Answer.UNSURE:
            flag.state, flag.decided_by, flag.decided_at = verdict.settles(flag), by, at
        flag.save(update_fields=["verdict", "copied_from", "state", "decided_by", "decided_at"])
    return len(flags)


def last_verdict(*, by: User) -> Label | None:
    """The last verdict of a person that is still in force. Missed risks that they entered are
    no verdicts."""
    return (
        Label.objects.filter(
            by=by, source=Label.Source.AUDIT, superseded_by__isnull=True, retracted=False
        )
        .exclude(pk__in=MissedRisk.objects.values("label"))
        .select_related("image__product", "brand")
        .first()
    )


def undo(*, by: User) -> list[Label]:
    """Take a person's last verdict back (all of it, when it was given to several copies at
    once): rows that supersede and say nothing. Flags are open again, and images that the verdict
    brought out of the pool return to it. Returns the labels taken back.

    Raises:
        ReviewError: there is none, or it was decided again since.
    """
    with transaction.atomic():
        last = last_verdict(by=by)
        if last is None:
            raise ReviewError(_("There is no verdict of yours to take back."))
        labels = _given_together(last)
        flags = Flag.objects.filter(verdict__in=labels)
        # Flags that only say where a copied verdict came from were never raised by a release.
        flags.filter(release="").update(state=Flag.State.WITHDRAWN)
        flags.exclude(release="").update(
            state=Flag.State.OPEN, verdict=None, copied_from=None, decided_by=None, decided_at=None
        )
        for label in labels:
            _take_back(label, by)
        consensus.refresh(image_ids=[label.image_id for label in labels], kind=Task.Kind.BRAND)
        _return_to_pool(labels)
    return labels


def _given_together(last: Label) -> list[Label]:
    step = last.flags.filter(copied_from__isnull=False).first()
    if step is None:
        return [last]
    copied = Label.objects.filter(
        flags__copied_from=step.copied_from_id,
        flags__decided_at=step.decided_at,
        by=last.by_id,
        superseded_by__isnull=True,
        retracted=False,
    )
    return list(copied.select_related("image").distinct())


def _take_back(label: Label, by: User) -> Label:
    nothing = Label.objects.create(
        image_id=label.image_id,
        kind=label.kind,
        source=label.source,
        by=by,
        supersedes=label,
        retracted=True,
    )
    audit.note(
        action="take_back",
        subject=label,
        by=by,
        before={"answer": label.answer, "brand": label.brand.key if label.brand else None},
        after=None,
    )
    return nothing


def _return_to_pool(labels: Collection[Label]) -> None:
    """Images that were in the pool before these verdicts and of which nothing else is known."""
    entries = AuditEntry.objects.filter(
        action="verdict", subject_type="label", subject_id__in=[str(label.pk) for label in labels]
    )
    pooled = {
        int(entry.subject_id) for entry in entries if (entry.before or {}).get("split") == "pool"
    }
    ids = [label.image_id for label in labels if label.pk in pooled]
    known = Consensus.objects.filter(image__in=ids, trusted=True).values("image")
    Image.objects.filter(pk__in=ids).exclude(pk__in=known).update(split=Image.Split.POOL)
