"""Releases: made as candidates, judged, promoted as a whole, rolled back. At most one is champion
(a constraint), and every move is an event with who and why."""

import logging
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from active_learning.evaluations import report_of, request_evaluation
from active_learning.gate import judge, verdict_in_words
from active_learning.jobs import JobError
from active_learning.models import (
    Evaluation,
    JobState,
    ModelKind,
    ModelVersion,
    PromotionEvent,
    Release,
)
from active_learning.sentences import sentence
from ml.artifact import read_artifact
from ml.manifest import read_manifest

logger = logging.getLogger(__name__)
TURN = 7_041_776_002  # an advisory lock's key, this module's own
Versions = dict[str, ModelVersion | None]


class PromotionError(JobError):
    """A promotion or roll-back that cannot be; the message is for a person."""


class NotEvaluated(PromotionError):
    """The candidate and the champion have not both been measured on the same test sets (yet)."""


def _take_turn() -> None:
    """Have releases changed by one transaction at a time, to its end: what one reads of the
    champion then stays true while it acts on it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])


def champion() -> Release | None:
    """The release in use."""
    return Release.objects.filter(state=Release.State.CHAMPION).first()


def versions_of(release: Release | None) -> Versions:
    """A release's model versions by kind."""
    return {kind: getattr(release, kind) if release else None for kind in ModelKind.values}


def create_release(
    *,
    classifier: ModelVersion | None,
    detector: ModelVersion | None,
    variation: ModelVersion | None,
) -> Release:
    """Put model versions together as a candidate; the brand list is the classifier's (else the
    detector's).

    Raises:
        PromotionError: no model is given.
        InputError: a model's artifact is damaged.
    """
    if not (classifier or detector or variation):
        raise PromotionError(_("A release needs a model."))
    with transaction.atomic():
        _take_turn()
        last = Release.objects.aggregate(last=Max("number"))["last"]
        return Release.objects.create(
            number=(last or 0) + 1,
            classifier=classifier,
            detector=detector,
            variation=variation,
            brands=_brands(classifier, detector),
        )


def _brands(classifier: ModelVersion | None, detector: ModelVersion | None) -> list[str]:
    if classifier is not None:
        return read_artifact(classifier.artifact).labels[:-1]  # the last is the background
    return read_artifact(detector.artifact).labels if detector is not None else []


def settle(*, candidate: Release) -> Release | None:
    """Judge a candidate against the champion and act on it: promote the whole candidate, or a
    release of its models that passed beside the champion's others, or nothing. The reasons are
    kept in `candidate.gate` either way. Returns the champion that results.

    Settled before: nothing happens again.

    Raises:
        NotEvaluated: the reports to compare are not there; the champion's has been asked for.
    """
    _request_missing_report(candidate)
    with transaction.atomic():
        _take_turn()
        candidate.refresh_from_db()
        live = champion()
        if candidate.state != Release.State.CANDIDATE:
            return live
        evaluation, theirs = _reports(candidate, live)
        candidate.gate = _judge_versions(candidate, live, evaluation.report, theirs)
        candidate.save(update_fields=["gate"])
        why = verdict_in_words(candidate.gate)
        winners = {kind for kind, verdict in candidate.gate.items() if verdict["passed"]}
        if not winners:
            reject(release=candidate, why=why)
            return live
        composition = versions_of(live) | {kind: getattr(candidate, kind) for kind in winners}
        if composition == versions_of(candidate):
            return promote(release=candidate, by=None, why=why)
        mixed = _mix(candidate, evaluation, theirs, composition, winners)
        # Told with the candidate alone: the mixed release has taken over the verdicts as they were.
        told = sentence("it is in release %(number)s", number=mixed.number) | {"met": True}
        for kind in winners:
            candidate.gate[kind]["reasons"].append(told)
        candidate.save(update_fields=["gate"])
        reject(release=candidate, why=verdict_in_words(candidate.gate))
        return promote(release=mixed, by=None, why=why)


def _request_missing_report(candidate: Release) -> None:
    evaluation, live = _last_evaluation(candidate), champion()
    if candidate.state != Release.State.CANDIDATE or evaluation is None or live is None:
        return
    if report_of(release=live, manifest_sha256=evaluation.manifest_sha256) is None:
        request_evaluation(release=live, manifest=read_manifest(evaluation.manifest))


def _last_evaluation(release: Release) -> Evaluation | None:
    return release.evaluations.filter(state=JobState.SUCCEEDED).first()


def _reports(candidate: Release, live: Release | None) -> tuple[Evaluation, dict[str, Any]]:
    evaluation = _last_evaluation(candidate)
    if evaluation is None:
        raise NotEvaluated(f"{candidate} has not been evaluated")
    if live is None:
        return evaluation, {}
    theirs = report_of(release=live, manifest_sha256=evaluation.manifest_sha256)
    if theirs is None:
        raise NotEvaluated(
            f"the champion, {live}, has not been evaluated on the test sets of {candidate}"
        )
    return evaluation, theirs


def _judge_versions(
    candidate: Release, live: Release | None, report: Mapping, theirs: Mapping
) -> dict[str, dict]:
    """Judge the models that are newer than the champion's; a candidate may have been put together
    before a newer champion was."""
    shared = None if live is None else set(candidate.brands) & set(live.brands)
    verdicts = judge(candidate_report=report, champion_report=theirs, brands=shared)
    for kind, version in versions_of(candidate).items():
        current = getattr(live, kind) if live else None
        if version is None:
            verdicts.pop(kind, None)
        elif current is not None and version.number <= current.number:
            reason = sentence("the champion's own")
            if version != current:
                reason = sentence(
                    "the champion has %(version)s, which is newer", version=str(current)
                )
            verdicts[kind] = {"passed": False, "reasons": [reason | {"met": True}]}
    return {kind: verdicts[kind] for kind in ModelKind.values if kind in verdicts}


def _mix(
    candidate: Release,
    evaluation: Evaluation,
    theirs: Mapping[str, Any],
    composition: Versions,
    winners: set[str],
) -> Release:
    """A release of the winners and the champion's others. Models are scored each by itself, so
    its report is put together from the two that are there."""
    mixed = create_release(**composition)
    report = {kind: own for kind, own in theirs.items() if composition.get(kind)}
    report |= {kind: evaluation.report[kind] for kind in winners}
    mixed.thresholds = {kind: own["thresholds"] for kind, own in report.items()}
    mixed.gate = {kind: candidate.gate[kind] for kind in winners}
    mixed.save(update_fields=["thresholds", "gate"])
    Evaluation.objects.create(
        release=mixed,
        manifest=evaluation.manifest,
        manifest_sha256=evaluation.manifest_sha256,
        state=JobState.SUCCEEDED,
        progress=1.0,
        stage=f"put together from the reports of {candidate} and the champion",
        report=report,
        output=evaluation.output,
        finished_at=evaluation.finished_at,
    )
    return mixed


def promote(*, release: Release, by: User | None, why: str) -> Release:
    """Make a release the champion; the one before it is retired.

    Raises:
        PromotionError: it is the champion, or has no model.
    """
    return _enthrone(release, PromotionEvent.Action.PROMOTED, by, why)


def roll_back(*, by: User | None, why: str) -> Release:
    """Bring back the release that the champion was promoted over.

    Raises:
        PromotionError: there is none.
    """
    with transaction.atomic():
        _take_turn()
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
        return _enthrone(event.previous, PromotionEvent.Action.ROLLED_BACK, by, why)


def _enthrone(release: Release, action: str, by: User | None, why: str) -> Release:
    with transaction.atomic():
        _take_turn()
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
        PromotionEvent.objects.create(release=release, previous=live, action=action, by=by, why=why)
    logger.info("%s %s: %s", release, action, why)
    return release


def reject(*, release: Release, why: str, by: User | None = None) -> None:
    """Turn a candidate down, for good unless a person promotes it.

    Raises:
        PromotionError: it is no candidate.
    """
    with transaction.atomic():
        _take_turn()
        changed = Release.objects.filter(pk=release.pk, state=Release.State.CANDIDATE).update(
            state=Release.State.REJECTED
        )
        if not changed:
            raise PromotionError(
                _("Release %(number)s is no candidate.") % {"number": release.number}
            )
        PromotionEvent.objects.create(
            release=release,
            previous=champion(),
            action=PromotionEvent.Action.REJECTED,
            by=by,
            why=why,
        )
    release.refresh_from_db()
    logger.info("%s rejected: %s", release, why)
