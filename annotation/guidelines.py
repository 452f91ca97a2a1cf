"""What a brand looks like, as written down for labelers: draft, review, publish, retire.

A published version never changes: a better one takes its place and it is retired.
"""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from annotation import audit
from annotation.guideline_content import (
    Content,
    ExampleDraft,
    FeatureDraft,
    as_json,
    content_of,
)
from annotation.models import AuditEntry, Brand, Feature, FeatureExample, GuidelineVersion

__all__ = ["Content", "ExampleDraft", "FeatureDraft"]  # part of what the verbs take

State = GuidelineVersion.State
OPEN = (State.DRAFT, State.REVIEW)


class GuidelineError(Exception):
    """A move that the life of a guideline does not allow."""


class DraftConflict(GuidelineError):
    """Somebody else saved the draft meanwhile; theirs stays, and the caller still has their own."""


def draft_guideline(
    *,
    brand: Brand,
    rules: str,
    features: Sequence[FeatureDraft],
    not_violations: str = "",
    least_logo: int | None = None,
    change_note: str = "",
    by: User | None = None,
) -> GuidelineVersion:
    """Write the next version of a brand's guideline, as a draft."""
    content = Content(rules, not_violations, least_logo, change_note, features)
    with transaction.atomic():
        Brand.objects.select_for_update().get(pk=brand.pk)  # two drafts must not take one number
        last = brand.guidelines.aggregate(last=Max("number"))["last"] or 0
        version = GuidelineVersion.objects.create(
            brand=brand, number=last + 1, created_by=by, **_columns(content)
        )
        _write_features(version, content.features)
        audit.note(action="draft", subject=version, by=by, after=as_json(content))
    return version


def begin_draft(
    *, brand: Brand, by: User | None, content: Content | None = None
) -> GuidelineVersion:
    """A draft to edit: `content`, or else a copy of what is published. A brand has one open draft
    at a time, so that two people do not publish past each other.

    Raises:
        GuidelineError: one is open already.
    """
    with transaction.atomic():
        Brand.objects.select_for_update().get(pk=brand.pk)
        check_no_open_draft(brand=brand)
        published = published_guideline(brand=brand)
        said = content or (content_of(published) if published else Content())
        return draft_guideline(
            brand=brand,
            rules=said.rules,
            features=said.features,
            not_violations=said.not_violations,
            least_logo=said.least_logo,
            change_note=content.change_note if content else "",  # the copy has nothing new in it
            by=by,
        )


def check_no_open_draft(*, brand: Brand) -> None:
    """Raises GuidelineError when a version of the brand is drafted or in review."""
    if version := brand.guidelines.filter(state__in=OPEN).first():
        raise GuidelineError(
            _("%(version)s is not published yet: publish or discard it first")
            % {"version": version}
        )


def save_draft(
    *, version: GuidelineVersion, content: Content, seen: datetime, by: User | None
) -> GuidelineVersion:
    """Replace what a draft says. `seen` is the `edited_at` of the draft that was edited. Saving
    what it says already changes nothing.

    Raises:
        DraftConflict: the draft was saved by somebody else since.
        GuidelineError: it is no draft any more.
    """
    with transaction.atomic():
        now = GuidelineVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
        if now.state != State.DRAFT:
            raise GuidelineError(
                _("%(version)s is no longer a draft (%(state)s), so it was not saved")
                % {"version": now, "state": _(now.get_state_display())}
            )
        if now.edited_at != seen:
            raise DraftConflict(
                _("%(who)s saved this draft meanwhile. Yours is still here, and not saved.")
                % {"who": _last_editor(now)}
            )
        before, after = as_json(content_of(now)), as_json(content)
        changed = [name for name in after if after[name] != before[name]]
        if changed:
            _write(now, content, rewrite_features="features" in changed)
            audit.note(
                action="edit",
                subject=now,
                by=by,
                before={name: before[name] for name in changed},
                after={name: after[name] for name in changed},
            )
    return now


def submit_guideline(*, version: GuidelineVersion, by: User) -> GuidelineVersion:
    """Put a draft up for review; nobody edits it until it comes back.

    Raises:
        GuidelineError: it is not a draft, or it says nothing.
    """
    if not (version.rules.strip() or version.features.exists()):
        raise GuidelineError(_("Nothing is written yet: there is nothing to review."))
    return _move(version, "submit", (State.DRAFT,), by=by, state=State.REVIEW, submitted_by=by)


def return_guideline(*, version: GuidelineVersion, by: User, why: str = "") -> GuidelineVersion:
    """Make a version in review a draft again.

    Raises:
        GuidelineError: it is not in review.
    """
    return _move(
        version, "return", (State.REVIEW,), by=by, why=why, state=State.DRAFT, submitted_by=None
    )


def retire_guideline(*, version: GuidelineVersion, by: User, why: str) -> GuidelineVersion:
    """Take a published version out of force; its brand has no guideline then.

    Raises:
        GuidelineError: it is not published.
    """
    return _move(version, "retire", (State.PUBLISHED,), by=by, why=why, state=State.RETIRED)


def discard_draft(*, version: GuidelineVersion, by: User) -> None:
    """Delete a draft; the audit log keeps what it said.

    Raises:
        GuidelineError: it is not a draft.
    """
    with transaction.atomic():
        now = GuidelineVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
        if now.state != State.DRAFT:
            raise GuidelineError(_refusal(now, (State.DRAFT,)))
        audit.note(action="discard", subject=now, by=by, before=as_json(content_of(now)))
        now.delete()


def publish_guideline(
    *, version: GuidelineVersion, by: User | None, why: str = ""
) -> GuidelineVersion:
    """Publish a draft or a version in review, and retire the one published before it, in one step.
    `by` is None when no person did it, as for a generated brand.

    Raises:
        GuidelineError: the version is neither.
    """
    with transaction.atomic():
        Brand.objects.select_for_update().get(pk=version.brand_id)
        before = GuidelineVersion.objects.filter(
            brand_id=version.brand_id, state=State.PUBLISHED
        ).exclude(pk=version.pk)
        for old in before:
            _move(old, "retire", (State.PUBLISHED,), by=by, state=State.RETIRED)
        return _move(
            version,
            "publish",
            OPEN,
            by=by,
            why=why,
            state=State.PUBLISHED,
            published_at=timezone.now(),
            published_by=by,
        )


def published_guideline(*, brand: Brand) -> GuidelineVersion | None:
    """The version in force, or None."""
    return brand.guidelines.filter(state=State.PUBLISHED).first()


def says_the_same(
    *, version: GuidelineVersion, rules: str, features: Sequence[FeatureDraft]
) -> bool:
    """Whether a version has just these rules, features and examples, in this order."""
    return version.rules == rules and content_of(version).features == list(features)


def _move(
    version: GuidelineVersion,
    action: str,
    allowed: Sequence[str],
    *,
    by: User | None,
    why: str = "",
    **changes,
) -> GuidelineVersion:
    """One step of its life, if it stands where the step begins."""
    with transaction.atomic():
        before = GuidelineVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
        moved = GuidelineVersion.objects.filter(pk=version.pk, state__in=allowed).update(**changes)
        if not moved:
            raise GuidelineError(_refusal(before, allowed))
        audit.note(
            action=action,
            subject=before,
            by=by,
            before={"state": before.state},
            after={"state": changes["state"]},
            why=why,
        )
    version.refresh_from_db()
    return version


def _refusal(version: GuidelineVersion, allowed: Sequence[str]) -> str:
    wanted = _(" or ").join(_(State(state).label) for state in allowed)
    return _("%(version)s is %(state)s, not a %(wanted)s") % {
        "version": version,
        "state": _(version.get_state_display()),
        "wanted": wanted,
    }


def _columns(content: Content) -> dict:
    return {
        "rules": content.rules,
        "not_violations": content.not_violations,
        "least_logo": content.least_logo,
        "change_note": content.change_note,
    }


def _write(version: GuidelineVersion, content: Content, *, rewrite_features: bool) -> None:
    for name, value in _columns(content).items():
        setattr(version, name, value)
    version.edited_at = timezone.now()
    version.save(update_fields=[*_columns(content), "edited_at"])
    if rewrite_features:
        version.features.all().delete()
        _write_features(version, content.features)


def _write_features(version: GuidelineVersion, features: Sequence[FeatureDraft]) -> None:
    for position, draft in enumerate(features):
        feature = Feature.objects.create(
            version=version,
            kind=draft.kind,
            text=draft.text,
            registered=draft.registered,
            position=position,
        )
        FeatureExample.objects.bulk_create(
            FeatureExample(
                feature=feature,
                file=example.file,
                width=example.width,
                height=example.height,
                regions=list(example.regions),
            )
            for example in draft.examples
        )


def _last_editor(version: GuidelineVersion) -> str:
    """Who saved it last, by the audit log."""
    entry = (
        AuditEntry.objects.filter(
            subject_type="guidelineversion",
            subject_id=str(version.pk),
            action__in=["draft", "edit"],
        )
        .select_related("by")
        .first()
    )
    return entry.by.get_username() if entry and entry.by else _("Somebody else")
