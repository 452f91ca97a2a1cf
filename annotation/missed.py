"""Missed risks: what the models let through and somebody found, by complaint or by audit.

Found on or after `settings.BUSINESS_CUTOFF` a risk tests the models (split `business`), before it
trains them. But a group of near-duplicates has one role for life: an image that is known already,
or near one that is, goes by that.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit
from annotation.ingest.decode import Picture, Refusal, decode
from annotation.ingest.grouping import (
    Candidate,
    group_candidates,
    keep_together,
    near_groups,
    settle_groups,
)
from annotation.ingest.storing import stored_name
from annotation.labels import Content, record_label
from annotation.locks import advisory_lock
from annotation.models import Brand, Image, ImageGroup, Label, MissedRisk, Product, Task
from annotation.models.label import Answer, Risk
from annotation.uploads import LARGEST

SOURCE = "missed_risk"
FOLDER = "images"


class MissedRiskError(Exception):
    """Why a missed risk was not entered, in one line. Nothing of it was."""


@dataclass(frozen=True)
class Finding:
    """What somebody found; `has_logo` None: not said."""

    brand: Brand
    risk: str
    channel: str
    found_on: date
    has_logo: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Entered:
    """A missed risk as entered, and where its image lies. `stays` says why that is not where its
    date would have put it; empty when it is."""

    missed: MissedRisk
    is_new: bool
    stays: str = ""


@dataclass(frozen=True)
class Upload:
    """A picture that was sent, read and decoded: what to do with it is yet to be seen."""

    sha256: str
    name: str
    data: bytes
    picture: Picture


def wanted_split(found_on: date) -> str:
    """Where a risk found on this day belongs."""
    return Image.Split.BUSINESS if found_on >= settings.BUSINESS_CUTOFF else Image.Split.TRAIN


def read_upload(upload: File) -> Upload:
    """Read and check a picture without keeping it.

    Raises:
        MissedRiskError: it cannot be taken.
    """
    name = re.sub(r"[\x00-\x1f\x7f]", "", PurePosixPath(upload.name or "").name)[:80]
    data = upload.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise MissedRiskError(
            _("%(name)s: larger than %(most)d MB") % {"name": name, "most": LARGEST // 1_000_000}
        )
    try:
        return Upload(hashlib.sha256(data).hexdigest(), name, data, decode(data))
    except Refusal as refusal:
        raise MissedRiskError(f"{name}: {refusal}") from refusal


def enter_missed_risk(
    *,
    finding: Finding,
    by: User | None,
    image: Image | None = None,
    upload: Upload | None = None,
    product: Product | None = None,
) -> Entered:
    """Enter a missed risk on a known image, or on a picture that was sent (`product` is then what
    it shows, if known). Its label is an audit's.

    Raises:
        MissedRiskError: the finding makes no sense, the picture cannot be taken, or this brand was
            entered for this image before.
    """
    check(finding)
    if (image is None) == (upload is None):
        raise MissedRiskError(_("Give one picture: a file, or one that is known already."))
    # The groups found must still be the groups when the image joins them.
    with advisory_lock("ingest", wait=True), transaction.atomic():
        is_new = False
        if upload is not None:
            image = Image.objects.filter(sha256=upload.sha256).first()
            is_new = image is None
            image = image or _take_in(upload, product, finding)
        assert image is not None  # noqa: S101 - one of both was given
        if earlier := MissedRisk.objects.filter(image=image, brand=finding.brand).first():
            raise MissedRiskError(
                _("%(brand)s was entered for this image already, as found on %(day)s.")
                % {"brand": finding.brand, "day": earlier.found_on.isoformat()}
            )
        missed = _write(image, finding, by)
    image.refresh_from_db()
    return Entered(missed, is_new, _why_elsewhere(image, finding))


def check(finding: Finding) -> None:
    """Raises MissedRiskError when a finding cannot be true."""
    if finding.risk not in Risk.values:
        raise MissedRiskError(
            _("unknown risk “%(risk)s”; one of %(all)s")
            % {"risk": finding.risk[:40], "all": ", ".join(Risk.values)}
        )
    if finding.channel not in MissedRisk.Channel.values:
        raise MissedRiskError(
            _("unknown channel “%(channel)s”; one of %(all)s")
            % {"channel": finding.channel[:40], "all": ", ".join(MissedRisk.Channel.values)}
        )
    if finding.found_on > timezone.localdate():
        raise MissedRiskError(
            _("found on %(day)s: that day is still to come") % {"day": finding.found_on.isoformat()}
        )
    if finding.brand.state == Brand.State.RETIRED:
        raise MissedRiskError(
            _("%(brand)s is retired: the models do not look for it") % {"brand": finding.brand}
        )


def _write(image: Image, finding: Finding, by: User | None) -> MissedRisk:
    label = record_label(
        image=image,
        kind=Task.Kind.BRAND,
        content=Content(
            answer=Answer.BRAND,
            brand=finding.brand,
            risk=finding.risk,
            has_logo=finding.has_logo,
        ),
        source=Label.Source.AUDIT,
        by=by,
    )
    if label is None:
        raise MissedRiskError(_("Its label could not be written."))
    missed = MissedRisk.objects.create(
        image=image,
        brand=finding.brand,
        channel=finding.channel,
        risk=finding.risk,
        has_logo=finding.has_logo,
        found_on=finding.found_on,
        note=finding.note,
        label=label,
        entered_by=by,
    )
    audit.note(
        action="enter_missed",
        subject=missed,
        by=by,
        after={
            "brand": finding.brand.key,
            "risk": finding.risk,
            "channel": finding.channel,
            "found_on": finding.found_on.isoformat(),
            "has_logo": finding.has_logo,
            "split": image.split,
        },
        why=finding.note,
    )
    return missed


def _take_in(upload: Upload, product: Product | None, finding: Finding) -> Image:
    """A new image, where its date puts it, or where the group it is near already is."""
    stored = _store(upload)
    split = _split_beside(upload.picture, product, wanted_split(finding.found_on))
    role = _role(split)
    key = f"{product.source}/{product.external_id}" if product else None
    grouping = group_candidates(
        candidates=[Candidate(picture=upload.picture, product=key)],
        role=role,
        product_groups=_product_groups(product, key),
    )
    if grouping.refused:
        raise MissedRiskError(f"{upload.name}: {grouping.refused[0]}")
    group_id = settle_groups(grouping=grouping, role=role)[0]
    image = Image.objects.create(
        sha256=upload.sha256,
        file=stored,
        width=upload.picture.width,
        height=upload.picture.height,
        phash=upload.picture.phash,
        phash_bands=upload.picture.bands,
        split=split,
        group_id=group_id,
        product=product,
        source=SOURCE,
    )
    keep_together(group_ids=[group_id])
    return image


def _store(upload: Upload) -> str:
    """The picture kept as ingest keeps it: under the hash of the very file."""
    name = stored_name(FOLDER, upload.sha256, upload.picture.extension)
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(upload.data))
    return name


def _product_groups(product: Product | None, key: str | None) -> dict:
    if product is None:
        return {}
    row = product.images.values_list("group_id", "role").first()
    return {key: row} if row else {}


def _split_beside(picture: Picture, product: Product | None, wanted: str) -> str:
    """`wanted`, unless the image's group will be one of the other role: then the split of an
    image in that group, so that near-duplicates stay on one side."""
    near = {group for group, _role_ in near_groups([picture])[0]}
    beside = Image.objects.filter(group_id__in=near)
    if product is not None:
        beside = beside | Image.objects.filter(product=product)
    roles = set(beside.order_by().values_list("role", flat=True).distinct())
    if not roles or _role(wanted) in roles:
        return wanted
    split = beside.order_by("-pk").values_list("split", flat=True)[0]
    return Image.Split.TRAIN if split == Image.Split.POOL else split


def _role(split: str) -> str:
    test = split in (Image.Split.CLOSED, Image.Split.OPEN, Image.Split.BUSINESS)
    return ImageGroup.Role.TEST if test else ImageGroup.Role.TRAINING


def _why_elsewhere(image: Image, finding: Finding) -> str:
    """Why an image is not where the date alone would put it; empty when it is."""
    wanted = wanted_split(finding.found_on)
    cutoff = settings.BUSINESS_CUTOFF.isoformat()
    if wanted == Image.Split.BUSINESS and image.role == ImageGroup.Role.TRAINING:
        return _(
            "Found on or after %(cutoff)s it would test the models, but this picture or a "
            "near-duplicate is training material already and stays that for life. It is not in "
            "the business set."
        ) % {"cutoff": cutoff}
    if wanted == Image.Split.TRAIN and image.role == ImageGroup.Role.TEST:
        return _(
            "Found before %(cutoff)s it would train the models, but this picture or a "
            "near-duplicate is test material already and stays that for life (%(split)s)."
        ) % {"cutoff": cutoff, "split": _(image.get_split_display())}
    if wanted == Image.Split.BUSINESS and image.split != wanted:
        return _(
            "This picture is test material already and stays in its set (%(split)s): taking it "
            "out would change what that set measures."
        ) % {"split": _(image.get_split_display())}
    return ""
