"""What each step of a round does. A step returns its result when it is done, raises `Waiting`
while something outside has to happen first, and finds what an earlier call of it left."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from active_learning import (
    contests,
    datasets,
    evaluations,
    promotion,
    scans,
    selection,
    settling,
    training,
)
from active_learning.models import (
    TRAINED_ALONE,
    JobState,
    ModelVersion,
    Release,
    Round,
    RoundStep,
    TrainingRun,
)
from active_learning.models.jobs import Job
from active_learning.shadows import InShadow
from annotation.models import Label, Task
from annotation.tasking import OPEN, create_tasks, withdraw_tasks
from annotation.tasks import push_tasks

T = TypeVar("T")
FAILED = (JobState.FAILED, JobState.CANCELLED)


class Waiting(Exception):
    """Not yet; the message says for what."""


class StepFailed(Exception):
    """Trying again would not help; the message is for a person."""


def scan(round_: Round) -> dict:
    """Score the pool with the champion."""
    if round_.scan is None or _failed_before(round_.scan, _step(round_, "scan")):
        manifest = datasets.pool_manifest()
        if not len(manifest):
            raise StepFailed("the pool is empty: ingest images with --split pool")
        with transaction.atomic():
            round_.scan = scans.request_scan(release=_made(round_.champion), manifest=manifest)
            round_.save(update_fields=["scan"])
    _wait_for(round_.scan, "the scan of the pool")
    return {"images": round_.scan.rows}


def select(round_: Round) -> dict:
    """Choose what people are asked, and write the tasks with their reasons: all or none."""
    if not round_.selections.exists():
        scan = _made(round_.scan)
        chosen = selection.choose(
            round_=round_, release=scan.release, scanned=scans.scan_table(scan)
        )
        with transaction.atomic():
            # Choosing takes long: whoever cancelled the round meanwhile has withdrawn its tasks.
            if Round.objects.select_for_update().get(pk=round_.pk).state != Round.State.RUNNING:
                raise Waiting("nothing: it was cancelled while its tasks were chosen")
            create_tasks(tasks=[choice.task for choice in chosen])
            written = set(
                Task.objects.filter(pk__in=[choice.task.pk for choice in chosen]).values_list(
                    "pk", flat=True
                )
            )
            round_.selections.model.objects.bulk_create(
                choice for choice in chosen if choice.task_id in written
            )
    return {"selected": dict(Counter(round_.selections.values_list("strategy", flat=True)))}


def push(round_: Round) -> dict:
    """Wait until the first of the round's tasks are before people. The rest follows as the window
    is refilled; the outbox is pushed by the sync, which need not wait for its own next turn."""
    tasks = Task.objects.filter(selection__round=round_)
    for kind in Task.Kind.values:
        of_kind = tasks.filter(kind=kind)
        if of_kind.exists() and not of_kind.filter(Q(pushed_at__isnull=False)).exists():
            push_tasks.delay()
            raise Waiting(f"the first {kind} tasks to reach Label Studio")
    return {"tasks": tasks.count()}


def collect(round_: Round) -> dict:
    """Wait for the answers, or for the time set to pass; what is unanswered then is withdrawn."""
    tasks = Task.objects.filter(selection__round=round_)
    open_tasks = tasks.filter(state__in=OPEN)
    seconds = round_.config.get("collect_seconds")
    step = _step(round_, "collect")
    if seconds and timezone.now() > _made(step.started_at) + timedelta(seconds=seconds):
        withdraw_tasks(task_ids=list(open_tasks.values_list("pk", flat=True)))
    if remaining := open_tasks.count():
        raise Waiting(f"{remaining} answers")
    return {
        "pushed": tasks.filter(pushed_at__isnull=False).count(),
        "collected": tasks.filter(state=Task.State.ANSWERED).count(),
        "labels_total": Label.objects.filter(
            source=Label.Source.LABELER, superseded_by__isnull=True, retracted=False
        ).count(),
    }


def freeze(round_: Round) -> dict:
    """Freeze what training reads."""
    if round_.dataset is None:
        round_.dataset = datasets.freeze_dataset()
        round_.save(update_fields=["dataset"])
    return {"sha256": round_.dataset.sha256, "rows": round_.dataset.rows}


def train(round_: Round) -> dict:
    """Train every model the dataset has material for (of those the round is to train, where it
    names them), on the frozen dataset."""
    dataset = _made(round_.dataset)
    named = round_.config.get("models") or TRAINED_ALONE
    wanted = [kind for kind in named if datasets.has_material(dataset, kind)]
    if not wanted:
        raise StepFailed("the dataset has nothing to train on: ingest labelled images first")
    runs, busy = {}, None
    for kind in wanted:
        try:
            runs[kind] = _run_for(round_, kind) or _request(round_, kind)
        except Waiting as waiting:  # the others need not wait with it
            busy = waiting
    if busy:
        raise busy
    for kind, run in runs.items():
        _wait_for(run, f"training of the {kind}")
    return {kind: str(run.model_version) for kind, run in runs.items()}


def _run_for(round_: Round, kind: str) -> TrainingRun | None:
    """The last run on the round's dataset, whoever asked for it; not one that failed before this
    attempt at the step."""
    run = TrainingRun.objects.filter(kind=kind, dataset=round_.dataset).first()
    return None if run is None or _failed_before(run, _step(round_, "train")) else run


def _request(round_: Round, kind: str) -> TrainingRun:
    try:
        return training.request_training(
            kind=kind,
            dataset=round_.dataset,
            trigger=TrainingRun.Trigger.ROUND,
            config=round_.config.get("train", {}).get(kind),
        )
    except training.TrainingActive as active:
        raise Waiting(f"another training of the {kind} to end") from active


def evaluate(round_: Round) -> dict:
    """Measure the candidate, and the champion where it was not, on the same frozen sets."""
    if round_.candidate is None:
        versions = {kind: _version(round_, kind) for kind in TRAINED_ALONE}
        with transaction.atomic():
            round_.candidate = promotion.create_release(**versions)
            round_.save(update_fields=["candidate"])
    manifest = datasets.evaluation_manifest()
    if not len(manifest):
        raise StepFailed("there is nothing to evaluate on: ingest with --split closed and open")
    champion = Release.objects.filter(state=Release.State.CHAMPION).first()
    for release in filter(None, [round_.candidate, champion]):
        evaluation = release.evaluations.filter(manifest_sha256=manifest.sha256).first()
        if evaluation is None or _failed_before(evaluation, _step(round_, "evaluate")):
            evaluation = evaluations.request_evaluation(release=release, manifest=manifest)
        _wait_for(evaluation, f"the evaluation of {release}")
    return {"release": round_.candidate.number, "images": len(manifest)}


def _version(round_: Round, kind: str) -> ModelVersion | None:
    """What the round trained; the champion's where this dataset had no material for a kind."""
    run = _run_for(round_, kind)
    if run is not None:
        return run.model_version
    return getattr(round_.champion, kind) if round_.champion else None


def gate(round_: Round) -> dict:
    """Promote what is measurably better; keep the reasons either way."""
    candidate = _made(round_.candidate)
    try:
        live = settling.settle(candidate=candidate)
    except InShadow as shadow:  # it takes hours and settles by itself: no round waits for it
        return {"candidate": candidate.number, "models": {}, "shadow": str(shadow)}
    except contests.NotEvaluated as missing:
        raise Waiting(str(missing)) from missing
    candidate.refresh_from_db()
    return {
        "candidate": candidate.number,
        "champion": live.number if live else None,
        "models": candidate.gate,
    }


def _made(value: T | None) -> T:
    """What an earlier step has left."""
    if value is None:
        raise StepFailed("an earlier step left nothing to go on from")
    return value


def _step(round_: Round, name: str) -> RoundStep:
    return round_.steps.get(name=name)


def _failed_before(job: Job, step: RoundStep) -> bool:
    """Whether the job failed before the step was begun: a person then had the round retried."""
    return job.state in FAILED and _made(job.finished_at) < _made(step.started_at)


def _wait_for(job: Job, what: str) -> None:
    job.refresh_from_db()
    if job.state in FAILED:
        raise StepFailed(f"{what} {job.state}: {job.error}".rstrip(": "))
    if job.state != JobState.SUCCEEDED:
        raise Waiting(f"{what} ({job.state}, {job.progress:.0%})")


STEPS: dict[str, Callable[[Round], dict]] = {
    RoundStep.Name.SCAN: scan,
    RoundStep.Name.SELECT: select,
    RoundStep.Name.PUSH: push,
    RoundStep.Name.COLLECT: collect,
    RoundStep.Name.FREEZE: freeze,
    RoundStep.Name.TRAIN: train,
    RoundStep.Name.EVALUATE: evaluate,
    RoundStep.Name.GATE: gate,
}
