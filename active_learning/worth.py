"""What a round's chosen labels bought over as many random ones, its control."""

import sys
from collections.abc import Collection
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from active_learning import datasets, jobs
from active_learning.job_files import read_json
from active_learning.models import Forecast, JobState, Release, Round, Selection, Worth
from active_learning.supervision import supervise
from annotation.models import Task
from ml.acquisition import SUSPECTED
from ml.manifest import Manifest

REPORT = "report.json"
RANDOM = ("random_control", "probe")
LEAST = 5  # answered labels of either arm


def request_worth(*, round_: Round) -> Worth | None:
    """Queue what a round's chosen labels bought over its control; None where there are too few
    answers of either, no classifier, or it was asked for before."""
    if not _has_classifier(round_.champion) or Worth.objects.filter(round=round_).exists():
        return None
    control = _answered(round_).filter(strategy="random_control")
    # What labels were suspected of, the classifier has learned from; the control it has never seen.
    chosen = _answered(round_).exclude(strategy__in=(*RANDOM, SUSPECTED))
    arms = {name: _images(rows) for name, rows in (("chosen", chosen), ("control", control))}
    if min(map(len, arms.values())) < LEAST:
        return None
    asked = set(Selection.objects.filter(round=round_).values_list("task__image_id", flat=True))
    files: dict[str, Manifest] = {
        "known": datasets.training_manifest(without=asked),
        **{name: datasets.image_manifest(image_ids=ids) for name, ids in arms.items()},
        "test": datasets.evaluation_manifest(),
    }
    with transaction.atomic():
        made = Worth.objects.create(
            round=round_,
            files={name: str(manifest.path) for name, manifest in files.items()},
            output=jobs.folder("worth/"),
        )
        jobs.enqueue(made)
    return made


def _answered(round_: Round) -> QuerySet[Selection]:
    return Selection.objects.filter(
        round=round_,
        task__kind=Task.Kind.BRAND,
        task__image__consensus__kind=Task.Kind.BRAND,
        task__image__consensus__trusted=True,
    )


def _images(rows: QuerySet[Selection]) -> Collection[int]:
    return set(rows.values_list("task__image_id", flat=True))


def _has_classifier(release: Release | None) -> bool:
    return release is not None and release.classifier is not None


def run(*, worth_id: int) -> JobState | None:
    """Supervise it in this process; safe to call again at any time."""
    return supervise(Worth, worth_id, argv=command, finish=_store)


def command(worth: Worth) -> list[str]:
    """The child's command line."""
    return child_line("worth", worth, worth.round.champion)


def child_line(name: str, job: Forecast | Worth, release: Release | None) -> list[str]:
    """Of `ml forecast` and `ml worth`, with a release's classifier."""
    assert release is not None and release.classifier is not None  # noqa: S101 — asked for with one
    line = [sys.executable, "-m", "ml", name, "--model", release.classifier.artifact]
    for option, path in job.files.items():
        line += [f"--{option}", path]
    line += ["--flag-ratio", str(settings.FLAG_RATIO_BUDGET)]
    return [*line, "--json", str(Path(job.output) / REPORT)]


def _store(worth: Worth) -> None:
    worth.report = read_json(Path(worth.output) / REPORT)
    worth.save(update_fields=["report"])
