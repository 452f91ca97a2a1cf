"""Precedents: written when a doubtful image is decided, and from then on only their reason is
worded better. A double is merged, a better case supersedes, and nothing is deleted."""

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchVector
from django.db import transaction
from django.db.models import Value
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit, contradictions, vectors
from annotation.models import Brand, Case, CaseConflict, GuidelineVersion, Image
from annotation.words import terms

CORNERS = ("x1", "y1", "x2", "y2")
LONGEST = 4000  # characters of a reason

# What a search finds a case by besides its reason and brand, in both languages of the pages.
KINDS = {
    Case.Kind.MASS_STYLE: "mass style common 大众款式",
    Case.Kind.KNOCK_OFF: "knock-off knockoff imitation 仿冒 山寨",
    Case.Kind.RECOGNISABILITY: "recognisability recognisable 可识别性 辨识度",
    Case.Kind.SMEAR: "smear cover 涂抹 遮挡",
    Case.Kind.OTHER: "",
}
VERDICTS = {
    Case.Verdict.BRAND: "is the brand 是该品牌",
    Case.Verdict.NONE: "no brand none 无品牌",
    Case.Verdict.OTHER: "a brand not on the list 名单外品牌",
}


class CaseError(Exception):
    """What was asked of a case cannot be; the message is for a person."""


def create_case(
    *,
    image: Image,
    kind: str,
    verdict: str,
    brand: Brand | None,
    reason: str,
    region: Mapping[str, float] | None = None,
    guideline: GuidelineVersion | None = None,
    by: User | None,
) -> Case:
    """Write a precedent down; `by` approves it. It is found by its image at once where the image
    has a vector, and otherwise as soon as the background job has made one.

    Args:
        region: {x1, y1, x2, y2} in pixels of the image; None is the whole of it.

    Raises:
        CaseError: something that a case needs is missing or does not fit.
    """
    reason = _checked_reason(reason)
    _check(image, kind, verdict, brand, guideline)
    with transaction.atomic():
        case = Case.objects.create(
            image=image,
            kind=kind,
            verdict=verdict,
            brand=brand,
            reason=reason,
            region=_checked_region(image, region),
            guideline=guideline,
            approved_by=by,
        )
        _write_words(case)
        space = vectors.serving_space()
        if space is not None:
            vectors.copy_to_cases(space=space, image_ids=[image.pk])
        contradictions.compare_groups(case_ids=[case.pk])
        audit.note(action="create", subject=case, by=by, after=_said(case))
    return case


def _check(
    image: Image, kind: str, verdict: str, brand: Brand | None, guideline: GuidelineVersion | None
) -> None:
    if kind not in Case.Kind.values:
        raise CaseError(_("“%(kind)s” is no kind of case.") % {"kind": kind})
    if verdict not in Case.Verdict.values:
        raise CaseError(_("“%(verdict)s” is no verdict of a case.") % {"verdict": verdict})
    if verdict == Case.Verdict.BRAND and brand is None:
        raise CaseError(_("Name the brand that the picture shows."))
    if guideline is not None and (brand is None or guideline.brand_id != brand.pk):
        raise CaseError(_("The guideline is not one of this brand."))


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise CaseError(_("Write the reason: it is what others decide by."))
    if len(reason) > LONGEST:
        raise CaseError(_("The reason is longer than %(most)d characters.") % {"most": LONGEST})
    return reason


def _checked_region(image: Image, region: Mapping[str, float] | None) -> dict[str, float] | None:
    if region is None:
        return None
    try:
        x1, y1, x2, y2 = (round(float(region[corner]), 1) for corner in CORNERS)
    except (KeyError, TypeError, ValueError) as error:
        raise CaseError(_("A region needs four numbers: x1, y1, x2 and y2.")) from error
    if not (0 <= x1 < x2 <= image.width and 0 <= y1 < y2 <= image.height):
        raise CaseError(
            _("The region does not lie within the picture of %(width)d × %(height)d pixels.")
            % {"width": image.width, "height": image.height}
        )
    return dict(zip(CORNERS, (x1, y1, x2, y2), strict=True))


def words_of(case: Case) -> str:
    """What a case is found by, as terms for its `words`."""
    brand = case.brand
    named = [brand.name_en, brand.name_zh, *brand.aliases] if brand else []
    called = [KINDS[Case.Kind(case.kind)], VERDICTS[Case.Verdict(case.verdict)]]
    return terms(" ".join([case.reason, *named, *called]))


def _write_words(case: Case) -> None:
    words = SearchVector(Value(words_of(case)), config="simple")
    Case.objects.filter(pk=case.pk).update(words=words)


def _said(case: Case) -> dict:
    return {
        "image": case.image.sha256,
        "region": case.region,
        "kind": case.kind,
        "verdict": case.verdict,
        "brand": case.brand.key if case.brand else None,
        "reason": case.reason,
        "guideline": str(case.guideline) if case.guideline else None,
    }


def edit_reason(*, case: Case, reason: str, by: User) -> Case:
    """Word the reason of an active case better; what it decided stays.

    Raises:
        CaseError: the reason is empty or too long, or the case is not active.
    """
    reason = _checked_reason(reason)
    with transaction.atomic():
        locked = _locked_active(case.pk)[case.pk]
        if locked.reason == reason:
            return locked
        before = {"reason": locked.reason}
        locked.reason = reason
        locked.save(update_fields=["reason"])
        _write_words(locked)
        audit.note(action="edit", subject=locked, by=by, before=before, after={"reason": reason})
    return locked


def merge_case(*, case: Case, into: Case, by: User, why: str = "") -> Case:
    """Put a double away: `into` is the one kept, and what referred to the double leads there.

    Raises:
        CaseError: they are one case, or one of them is not active.
    """
    return _replace(case=case, kept=into, state=Case.State.MERGED, action="merge", by=by, why=why)


def supersede_case(*, case: Case, replacement: Case, by: User, why: str = "") -> Case:
    """Have a better case take the place of this one.

    Raises:
        CaseError: they are one case, or one of them is not active.
    """
    return _replace(
        case=case,
        kept=replacement,
        state=Case.State.SUPERSEDED,
        action="supersede",
        by=by,
        why=why,
    )


def _replace(*, case: Case, kept: Case, state: str, action: str, by: User, why: str) -> Case:
    if case.pk == kept.pk:
        raise CaseError(_("A case cannot take its own place."))
    with transaction.atomic():
        locked = _locked_active(case.pk, kept.pk)[case.pk]
        locked.state, locked.replaced_by = state, kept
        locked.save(update_fields=["state", "replaced_by"])
        audit.note(
            action=action,
            subject=locked,
            by=by,
            before={"state": Case.State.ACTIVE},
            after={"state": state, "replaced_by": kept.pk},
            why=why,
        )
    return locked


def retire_case(*, case: Case, by: User, why: str) -> Case:
    """Take a case out of use with nothing in its place.

    Raises:
        CaseError: no reason is given, or the case is not active.
    """
    why = why.strip()
    if not why:
        raise CaseError(_("Say why the case is retired."))
    with transaction.atomic():
        locked = _locked_active(case.pk)[case.pk]
        locked.state = Case.State.RETIRED
        locked.save(update_fields=["state"])
        audit.note(
            action="retire",
            subject=locked,
            by=by,
            before={"state": Case.State.ACTIVE},
            after={"state": Case.State.RETIRED},
            why=why,
        )
    return locked


def let_both_stand(*, conflict: CaseConflict, by: User, why: str) -> None:
    """Say that both cases stand, and why.

    Raises:
        CaseError: no reason, or somebody has said so already.
    """
    why = why.strip()
    if not why:
        raise CaseError(_("Say why both cases stand."))
    with transaction.atomic():
        moved = CaseConflict.objects.filter(pk=conflict.pk, dismissed_at__isnull=True).update(
            dismissed_at=timezone.now(), dismissed_by=by, why=why
        )
        if not moved:
            raise CaseError(_("Somebody has decided this contradiction meanwhile."))
        case = Case.objects.get(pk=conflict.first_id)
        after = {"stands_beside": conflict.second_id}
        audit.note(action="both_stand", subject=case, by=by, after=after, why=why)


def _locked_active(*ids: int) -> dict[int, Case]:
    """The cases, locked in one order: two people who merge each into the other must not both
    find the other active."""
    found = {
        case.pk: case
        for case in Case.objects.select_for_update(of=("self",))
        .select_related("image", "brand", "guideline")
        .filter(pk__in=ids)
        .order_by("pk")
    }
    for pk in ids:
        if pk not in found or found[pk].state != Case.State.ACTIVE:
            raise CaseError(_("Case %(number)d is not active any more.") % {"number": pk})
    return found
