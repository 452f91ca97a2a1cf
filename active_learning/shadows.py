"""Releases in shadow: before one is promoted, it and the champion score the images that came in
since it was made, and what it would flag there is held against the budget.

Off unless SHADOW_HOURS is set, or a person puts a release in shadow. It ends with its hours: then
the images that came in are scanned, and the release is settled with what there is, however little.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from active_learning import datasets, scans
from active_learning.contests import NotEvaluated, PromotionError, versions_of
from active_learning.gates import unmet
from active_learning.gates.shadow import GATE, fresh_flags
from active_learning.models import JobState, Release, Scan, Shadow
from active_learning.scans import ENDED_BADLY
from active_learning.sentences import sentence
from active_learning.shadow_figures import FLAGGING, measure
from annotation import audit

logger = logging.getLogger(__name__)

Verdicts = dict[str, dict[str, Any]]
LONGEST = 24 * 90  # hours
MAY_ENTER = (Release.State.CANDIDATE, Release.State.REJECTED)


class ShadowError(PromotionError):
    """A shadow that cannot be; the message is for a person."""


class InShadow(NotEvaluated):
    """The release is in shadow: it is settled when that is over."""


def start(*, release: Release, hours: float, by: User | None = None) -> Shadow:
    """Put a release in shadow for so many hours, counted from now; the images are those since it
    was made.

    Raises:
        ShadowError: it is or was champion, was not measured, was in shadow before, or the hours
            make no sense.
    """
    if not 0 < hours <= LONGEST:
        raise ShadowError(_("Hours in shadow: more than 0, at most %(most)d.") % {"most": LONGEST})
    if release.state not in MAY_ENTER or not flagging_models(release):
        raise ShadowError(_("Only a candidate that flags brands can be put in shadow."))
    if not release.thresholds:
        raise ShadowError(
            _("Release %(number)s has no thresholds yet: it is measured first.")
            % {"number": release.number}
        )
    try:
        with transaction.atomic():
            shadow = Shadow.objects.create(
                release=release, ends_at=timezone.now() + timedelta(hours=hours), requested_by=by
            )
            audit.note(action="shadow_release", subject=release, by=by, after={"hours": hours})
    except IntegrityError as error:
        raise ShadowError(
            _("Release %(number)s was put in shadow before.") % {"number": release.number}
        ) from error
    logger.info("%s in shadow for %s hours", release, hours)
    return shadow


def end_early(*, shadow: Shadow, by: User | None = None) -> None:
    """Have it settled now, with the images that came in so far.

    Raises:
        ShadowError: its hours are over.
    """
    now = timezone.now()
    with transaction.atomic():
        running = Shadow.objects.filter(pk=shadow.pk, state=Shadow.State.RUNNING, ends_at__gt=now)
        if not running.update(ends_at=now):
            raise ShadowError(_("Its hours in shadow are over."))
        audit.note(action="end_shadow", subject=shadow.release, by=by)
    shadow.refresh_from_db()


def flagging_models(release: Release) -> list[str]:
    """Its models that flag brands."""
    return [kind for kind in FLAGGING if versions_of(release)[kind] is not None]


def is_over(shadow: Shadow) -> bool:
    """Bring a shadow as far as it can be brought now: after its hours both releases' scans are
    asked for, of today's champion. Returns whether they have ended."""
    if shadow.ends_at > timezone.now():
        return False
    live = Release.objects.filter(state=Release.State.CHAMPION).first()
    if shadow.champion != live:
        _request_scans(shadow, live)
    both = [shadow.own_scan, shadow.champions_scan]
    ended = all(
        scan is None or scan.state not in (JobState.QUEUED, JobState.RUNNING) for scan in both
    )
    if ended and shadow.state == Shadow.State.RUNNING:
        shadow.state, shadow.finished_at = Shadow.State.DONE, timezone.now()
        shadow.save(update_fields=["state", "finished_at"])
    return ended


def _request_scans(shadow: Shadow, live: Release | None) -> None:
    """Of the images that came in, by both; of none there is nothing to scan."""
    manifest = datasets.fresh_manifest(since=shadow.release.created_at, until=shadow.ends_at)
    shadow.champion, shadow.report = live, {}
    shadow.state, shadow.finished_at = Shadow.State.RUNNING, None
    shadow.own_scan = shadow.champions_scan = None
    with transaction.atomic():
        if live is not None and len(manifest):
            shadow.own_scan, shadow.champions_scan = (
                scans.request_scan(release=one, manifest=manifest, purpose=Scan.Purpose.FRESH)
                for one in (shadow.release, live)
            )
        shadow.save()


def compared(shadow: Shadow, *, models: Collection[str]) -> dict[str, Any]:
    """The figures of a shadow that is over, measured once for the same models and kept."""
    if shadow.report.get("models") == sorted(models):
        return shadow.report
    both = (shadow.own_scan, shadow.champions_scan)
    failed = [scan for scan in both if scan is not None and scan.state in ENDED_BADLY]
    if failed:
        report: dict[str, Any] = {"error": f"{failed[0]}: {failed[0].error}".rstrip(": ")}
    else:
        report = measure(shadow=shadow, models=models)
    shadow.report = report | {"models": sorted(models), "verdict": fresh_flags(report).as_json()}
    shadow.save(update_fields=["report"])
    return shadow.report


def abandon(shadow: Shadow) -> None:
    """End the shadow of a release that a person promoted meanwhile."""
    shadow.state, shadow.finished_at = Shadow.State.DONE, timezone.now()
    shadow.report = {"error": "the release was promoted before its hours in shadow were over"}
    shadow.save(update_fields=["state", "finished_at", "report"])


def wait_for(candidate: Release) -> None:
    """
    Raises:
        InShadow: the candidate is in shadow, and that is not over.
    """
    shadow = of(candidate)
    if shadow is not None and not is_over(shadow):
        raise InShadow(f"{candidate} is in shadow until {shadow.ends_at:%Y-%m-%d %H:%M} UTC")


def of(release: Release) -> Shadow | None:
    """A release's shadow, running or over."""
    rows = Shadow.objects.select_related("release", "champion", "own_scan", "champions_scan")
    return rows.filter(release=release).first()


def judged(candidate: Release, live: Release | None, verdicts: Verdicts) -> Verdicts:
    """The gates' verdicts, with the shadow's on the models that passed and flag brands. The first
    release of all, and one that no setting or person put in shadow, goes without.

    Raises:
        InShadow: it passed and goes into shadow now, or its shadow is not over.
    """
    winners = [kind for kind in FLAGGING if verdicts.get(kind, {}).get("passed")]
    shadow = of(candidate)
    if live is None or not winners or (shadow is None and settings.SHADOW_HOURS <= 0):
        return verdicts
    if shadow is None:
        start(release=candidate, hours=settings.SHADOW_HOURS)
    wait_for(candidate)
    shadow = of(candidate)
    assert shadow is not None  # noqa: S101 — there was one to wait for
    verdict = compared(shadow, models=winners)["verdict"]
    return verdicts | {kind: _with(verdicts[kind], verdict) for kind in winners}


def _with(verdict: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "passed": verdict["passed"] and own["met"],
        "reasons": [*verdict["reasons"], dict(own)],
    }


def against(release: Release) -> list[dict[str, Any]]:
    """What stands against promoting a release: as `gates.unmet`, and its shadow while that runs, or
    where that was not met."""
    found, shadow = unmet(release.gate), of(release)
    if shadow is None or release.state not in MAY_ENTER:
        return found
    of_all = {"model": "", "gate": GATE}
    if shadow.state == Shadow.State.RUNNING:
        until = date_format(timezone.localtime(shadow.ends_at), "Y-m-d H:i")
        waits = of_all | sentence("it is in shadow until %(until)s", until=until)
        return [waits, *(one for one in found if one["gate"] != "unjudged")]
    verdict = shadow.report.get("verdict", {"met": True})
    if verdict["met"] or any(one["gate"] == GATE for one in found):
        return found
    return [*found, of_all | {name: verdict[name] for name in ("text", "values")}]
