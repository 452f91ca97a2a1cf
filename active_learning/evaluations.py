"""Evaluations: a release measured on the frozen test sets."""

import sys
from pathlib import Path

import pyarrow.parquet as pq
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from active_learning import datasets, jobs
from active_learning.job_files import read_json
from active_learning.jobs import JobError
from active_learning.models import Evaluation, JobState, ModelKind, Release
from active_learning.scans import ENDED_BADLY, model_arguments
from active_learning.supervision import supervise
from ml.manifest import Manifest

REPORT = "report.json"
SCORES = "scores.parquet"


class NothingToEvaluate(JobError):
    """There are no test images, or the release has no model."""


def request_evaluation(
    *, release: Release, manifest: Manifest | None = None, by: User | None = None
) -> Evaluation:
    """Queue the evaluation of a release on a manifest (by default the test sets as they are known
    now); the one there already, unless it ended badly, is returned instead.

    Raises:
        NothingToEvaluate: no test images, or no models.
    """
    manifest = manifest or datasets.evaluation_manifest()
    if not len(manifest):
        raise NothingToEvaluate("no test images: ingest with --split closed and --split open")
    if not model_arguments(release):
        raise NothingToEvaluate(f"{release} has no model")
    same = Evaluation.objects.filter(release=release, manifest_sha256=manifest.sha256)
    try:
        with transaction.atomic():
            evaluation = Evaluation.objects.create(
                release=release,
                manifest_sha256=manifest.sha256,
                manifest=str(manifest.path),
                requested_by=by,
                output=jobs.folder(f"evaluations/release-{release.number}-"),
            )
            jobs.enqueue(evaluation)
    except IntegrityError:
        return same.exclude(state__in=ENDED_BADLY).get()
    return evaluation


def run(*, evaluation_id: int) -> JobState | None:
    """Supervise the evaluation in this process; safe to call again at any time."""
    return supervise(Evaluation, evaluation_id, argv=command, finish=store_report)


def command(evaluation: Evaluation) -> list[str]:
    """The child's command line. Without open rows there is nothing to fit a threshold on."""
    line = [sys.executable, "-m", "ml", "evaluate", *model_arguments(evaluation.release)]
    folder = Path(evaluation.output)
    line += ["--manifest", evaluation.manifest, "--json", str(folder / REPORT)]
    line += ["--scores", str(folder / SCORES)]
    splits = pq.read_table(evaluation.manifest, columns=["split"])["split"].to_pylist()
    if "open" in splits:
        line += ["--flag-ratio", str(settings.FLAG_RATIO_BUDGET)]
    return line


def store_report(evaluation: Evaluation) -> None:
    """Keep the report by kind of model, and give a release its thresholds. Those of a release
    that was promoted are part of what was promoted: a later evaluation leaves them alone.

    The files of scores are named by their whole paths: a report may be taken over into that of
    another release (see `settling.settle`).
    """
    folder = Path(evaluation.output)
    written = read_json(folder / REPORT)
    reports = written.get("models") or {written["kind"]: written}
    for report in reports.values():
        report["scores"] = str(folder / report["scores"])
    evaluation.report = {kind: reports[kind] for kind in ModelKind.values if kind in reports}
    evaluation.save(update_fields=["report"])
    release = evaluation.release
    if release.state == Release.State.CANDIDATE or not release.thresholds:
        release.thresholds = {kind: report["thresholds"] for kind, report in reports.items()}
        release.save(update_fields=["thresholds"])


def report_of(*, release: Release, manifest_sha256: str) -> dict | None:
    """What a release reached on a manifest, by kind of model; None when it was not measured."""
    measured = release.evaluations.filter(
        manifest_sha256=manifest_sha256, state=JobState.SUCCEEDED
    ).first()
    return measured.report if measured else None
