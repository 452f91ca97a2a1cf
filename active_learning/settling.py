"""How the gates' verdict on a candidate is acted on: all of it becomes champion, or its models that
passed beside the champion's others, or nothing."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from active_learning import contests, fusions, promotion, shadows
from active_learning.contests import NotEvaluated, Versions, versions_of
from active_learning.evaluations import report_of, request_evaluation
from active_learning.gates import judge, verdict_in_words
from active_learning.models import Evaluation, JobState, Release
from active_learning.scans import ENDED_BADLY
from active_learning.sentences import sentence
from ml.manifest import read_manifest


def settle(*, candidate: Release) -> Release | None:
    """Judge a candidate against the champion and act on it: promote the whole candidate, or a
    release of its models that passed beside the champion's others, or nothing. The reasons are
    kept in `candidate.gate` either way. Returns the champion that results.

    Settled before: nothing happens again.

    Where the champion's evaluation, which it is to be compared with, failed or was cancelled, the
    candidate is turned down: to ask for it again would hardly end otherwise.

    Raises:
        NotEvaluated: the reports to compare are not there (the champion's has been asked for), or
            it is in shadow.
    """
    candidate.refresh_from_db()
    before = promotion.champion()
    if candidate.state != Release.State.CANDIDATE:
        return before
    if why := _request_missing_report(candidate, before):
        promotion.reject(release=candidate, why=why)
        return before
    shadows.wait_for(candidate)
    verdicts = shadows.judged(candidate, before, judge(contests.prepare(candidate, before)))
    with transaction.atomic():
        promotion.take_turn()
        candidate.refresh_from_db()
        live = promotion.champion()
        if candidate.state != Release.State.CANDIDATE:
            return live
        if live != before:
            raise NotEvaluated(f"{live} became champion while {candidate} was judged")
        evaluation, theirs = contests.reports(candidate, live)
        candidate.gate = contests.with_champions_own(verdicts, candidate, live)
        candidate.save(update_fields=["gate"])
        why = verdict_in_words(candidate.gate)
        winners = {kind for kind, verdict in candidate.gate.items() if verdict["passed"]}
        if not winners:
            promotion.reject(release=candidate, why=why)
            return live
        won = {kind: getattr(candidate, kind) for kind in winners}
        composition = fusions.without_a_stranger(versions_of(live), versions_of(live) | won)
        if composition == versions_of(candidate):
            return promotion.promote(release=candidate, by=None, why=why)
        mixed = _mix(candidate, evaluation, theirs, composition, winners)
        # Told with the candidate alone: the mixed release has taken over the verdicts as they were.
        told = sentence("it is in release %(number)s", number=mixed.number) | {"met": True}
        for kind in winners:
            candidate.gate[kind]["reasons"].append(told)
        candidate.save(update_fields=["gate"])
        promotion.reject(release=candidate, why=verdict_in_words(candidate.gate))
        return promotion.promote(release=mixed, by=None, why=why)


def _request_missing_report(candidate: Release, live: Release | None) -> str:
    """Ask for the champion's evaluation on the candidate's test sets, where it is missing. Returns
    why there will be none, where it ended badly."""
    evaluation = contests.last_evaluation(candidate)
    if evaluation is None or live is None:
        return ""
    sha256 = evaluation.manifest_sha256
    if report_of(release=live, manifest_sha256=sha256) is not None:
        return ""
    asked_for = evaluation.created_at  # what ended badly before may end well now
    last = live.evaluations.filter(manifest_sha256=sha256, created_at__gte=asked_for).first()
    if last is None:
        request_evaluation(release=live, manifest=read_manifest(evaluation.manifest))
    elif last.state in ENDED_BADLY:
        return f"the evaluation of the champion, {live}, {last.state}: {last.error}".rstrip(": ")
    return ""


def _mix(
    candidate: Release,
    evaluation: Evaluation,
    theirs: Mapping[str, Any],
    composition: Versions,
    winners: set[str],
) -> Release:
    """A release of the winners and the champion's others. Models are scored each by itself, so
    its report is put together from the two that are there."""
    mixed = promotion.create_release(**composition)
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
