"""Releases: made as candidates, judged, promoted as a whole, rolled back. At most one is champion
(a constraint), and every move is an event with who and why."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from active_learning import fusions, shadows
from active_learning.contests import PromotionError, versions_of
from active_learning.gates import unmet_in_words
from active_learning.models import (
    ModelVersion,
    PromotionEvent,
    Release,
)
from annotation import audit
from annotation.access import ENGINEERS, may
from ml.artifact import read_artifact

logger = logging.getLogger(__name__)
TURN = 7_041_776_002  # an advisory lock's key, this module's own


class GateNotPassed(PromotionError):
    """The gates are against it, and nobody overrode them."""


def take_turn() -> None:
    """Have releases changed by one transaction at a time, to its end: what one reads of the
    champion then stays true while it acts on it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])


def champion() -> Release | None:
    """The release in use."""
    return Release.objects.filter(state=Release.State.CHAMPION).first()


def create_release(
    *,
    classifier: ModelVersion | None,
    detector: ModelVersion | None,
    variation: ModelVersion | None,
    text: ModelVersion | None = None,
    fusion: ModelVersion | None = None,
) -> Release:
    """Put model versions together as a candidate; the brand list is the classifier's (else the
    detector's, else the text model's).

    Raises:
        PromotionError: no model is given, or the fusion was fitted on others.
        InputError: a model's artifact is damaged.
    """
    if not (classifier or detector or variation or text):
        raise PromotionError(_("A release needs a model."))
    if fusion and not fusions.goes_with(fusion, (classifier, detector, variation, text)):
        raise PromotionError(
            _("%(fusion)s was fitted on other models than these.") % {"fusion": fusion}
        )
    with transaction.atomic():
        take_turn()
        last = Release.objects.aggregate(last=Max("number"))["last"]
        return Release.objects.create(
            number=(last or 0) + 1,
            classifier=classifier,
            detector=detector,
            variation=variation,
            text=text,
            fusion=fusion,
            brands=_brands(classifier, detector, text),
        )


def _brands(
    classifier: ModelVersion | None, detector: ModelVersion | None, text: ModelVersion | None
) -> list[str]:
    if classifier is None and detector is not None:
        return read_artifact(detector.artifact).labels
    chosen = classifier or text
    return read_artifact(chosen.artifact).labels[:-1] if chosen else []  # the last is background


def promote(
    *, release: Release, by: User | None, why: str, override: bool = False, account: str = ""
) -> Release:
    """Make a release the champion; the one before it is retired.

    Args:
        by: None for the gate itself, or a command.
        override: though the gates are against it. Which were is kept with who and why.
        account: who ran the command.

    Raises:
        GateNotPassed: the gates are against it, and `override` is not given.
        PromotionError: it is the champion, has no model, or `by` may not override.
    """
    with transaction.atomic():
        take_turn()
        release = Release.objects.get(pk=release.pk)
        against = shadows.against(release)
        if override and not may_override(by=by):
            raise PromotionError(_("Only ML engineers and administrators override the gates."))
        if override and not why.strip():
            raise PromotionError(_("Say why the gates are overridden."))
        if against and not override and (by is not None or account):
            raise GateNotPassed(
                _("Release %(number)s did not pass: %(reasons)s. To promote it all the same, "
                  "override the gates and say why.")
                % {"number": release.number, "reasons": "; ".join(unmet_in_words(against))}
            )  # fmt: skip
        action = PromotionEvent.Action.PROMOTED
        overridden = against if override else []
        return _enthrone(release, action, by, why, account=account, overridden=overridden)


def may_override(*, by: User | None) -> bool:
    """Whether this person may; a command's right is that of whoever holds the machine."""
    return by is None or may(by, ENGINEERS)


def roll_back(*, by: User | None, why: str, account: str = "") -> Release:
    """Bring back the release that the champion was promoted over. It was champion before, so no
    gate is asked.

    Args:
        account: who ran the command.

    Raises:
        PromotionError: there is none.
    """
    with transaction.atomic():
        take_turn()
        live = champion()
        if live is None:
            raise PromotionError(_("There is no champion to roll back from."))
        # Its promotion, not a roll-back to it: rolling back twice goes back two releases.
        event = live.events.filter(action=PromotionEvent.Action.PROMOTED).first()
        if event is None or event.previous is None:
            raise PromotionError(
                _("Release %(number)s was the first champion: there is none before it.")
                % {"number": live.number}
            )
        action = PromotionEvent.Action.ROLLED_BACK
        return _enthrone(event.previous, action, by, why, account=account)


def _enthrone(
    release: Release,
    action: str,
    by: User | None,
    why: str,
    *,
    account: str = "",
    overridden: Sequence[Mapping[str, Any]] = (),
) -> Release:
    with transaction.atomic():
        take_turn()
        live = champion()
        release = Release.objects.get(pk=release.pk)
        if release == live:
            raise PromotionError(
                _("Release %(number)s is the champion already.") % {"number": release.number}
            )
        if not any(versions_of(release).values()):
            raise PromotionError(_("Release %(number)s has no model.") % {"number": release.number})
        if live is not None:
            Release.objects.filter(pk=live.pk).update(state=Release.State.RETIRED)
        release.state = Release.State.CHAMPION
        release.save(update_fields=["state"])
        _record(release, live, action, by, why, account=account, overridden=list(overridden))
    logger.info("%s %s: %s", release, action, why)
    return release


def reject(*, release: Release, why: str, by: User | None = None) -> None:
    """Turn a candidate down, for good unless a person promotes it.

    Raises:
        PromotionError: it is no candidate.
    """
    with transaction.atomic():
        take_turn()
        changed = Release.objects.filter(pk=release.pk, state=Release.State.CANDIDATE).update(
            state=Release.State.REJECTED
        )
        if not changed:
            raise PromotionError(
                _("Release %(number)s is no candidate.") % {"number": release.number}
            )
        _record(release, champion(), PromotionEvent.Action.REJECTED, by, why)
    release.refresh_from_db()
    logger.info("%s rejected: %s", release, why)


def _record(
    release: Release, previous: Release | None, action: str, by: User | None, why: str, **more: Any
) -> None:
    """Keep a move for ever, in the releases' own history and in the audit log."""
    PromotionEvent.objects.create(
        release=release, previous=previous, action=action, by=by, why=why, **more
    )
    gates = sorted({one["gate"] for one in more.get("overridden", ())})
    promoted = action != PromotionEvent.Action.REJECTED
    audit.note(
        action=f"release_{action}",
        subject=release,
        by=by,
        before={"champion": str(previous)} if previous and promoted else None,
        after=({"champion": str(release)} if promoted else {})
        | ({"overridden": gates} if gates else {})
        | ({"account": more["account"]} if more.get("account") else {}),
        why=why,
    )
