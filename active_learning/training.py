"""Training runs: asking for one, and what a finished one leaves behind."""

import json
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Case, Max, When
from django.utils.translation import gettext as _

from active_learning import datasets, fusions, jobs
from active_learning.job_files import parse_json
from active_learning.jobs import JobError
from active_learning.models import (
    DatasetVersion,
    JobState,
    ModelKind,
    ModelVersion,
    Release,
    TrainingRun,
)
from active_learning.models.jobs import ACTIVE
from active_learning.sentences import Sentence
from active_learning.supervision import supervise
from annotation.models import Brand
from ml.artifact import artifact_bytes, read_artifact

MODEL = "model"  # the artifact's folder in the run's
NAMES = "brands.json"  # what the brands are called, beside it


class TrainingError(JobError):
    """A training that cannot be; the message is for a person."""


class TrainingActive(TrainingError):
    """A model of this kind is being trained; `run` is that training."""

    def __init__(self, run: TrainingRun | None) -> None:
        self.run = run
        state = _(run.state) if run else _("queued")
        super().__init__(_("A training of this model is active: %(state)s.") % {"state": state})


def request_training(
    *,
    kind: str,
    trigger: str,
    dataset: DatasetVersion | None = None,
    by: User | None = None,
    parent: ModelVersion | None = None,
    from_scratch: bool = False,
    config: dict | None = None,
    why: Sentence | None = None,
) -> TrainingRun:
    """Queue the training of a model.

    Args:
        kind: classifier | detector | variation | text, or fusion, of the champion's models.
        trigger: round | labels | person | promotion.
        dataset: frozen now when not given; of a fusion that of its models.
        parent: whose weights it starts from; the champion's when not given; of a fusion nobody's.
        from_scratch: start from random weights instead.
        config: `--config` of `ml train`; brands, their names, and what a fusion joins are added.
        why: what asked for it, where nobody did.

    Raises:
        TrainingActive: one of this kind is queued or running.
        TrainingError: an unknown kind, or nothing to train it on.
    """
    if kind not in ModelKind.values:
        raise TrainingError(
            _("“%(kind)s” is none of %(kinds)s.")
            % {"kind": kind, "kinds": ", ".join(ModelKind.values)}
        )
    if (active := active_run(kind=kind)) is not None:
        raise TrainingActive(active)
    output = Path(jobs.folder(f"runs/{kind}-"))
    if kind == ModelKind.FUSION:
        release = _to_be_fused()
        dataset, parent = fusions.dataset_of(release), None
        config = fusions.recipe(release) | (config or {})
        fusions.write_rows(dataset, output)
    else:
        dataset = dataset or datasets.freeze_dataset()
        config = _told_brands(kind, dataset, dict(config or {}), output)
        if parent is None and not from_scratch:
            parent = champion_version(kind=kind)
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                kind=kind,
                dataset=dataset,
                config=config,
                trigger=trigger,
                why=why or {},
                requested_by=by,
                parent=parent,
                output=str(output),
            )
            jobs.enqueue(run)
    except IntegrityError as error:
        raise TrainingActive(active_run(kind=kind)) from error
    return run


def _to_be_fused() -> Release:
    release = Release.objects.filter(state=Release.State.CHAMPION).first()
    if release is None or not fusions.can_be_fitted(release):
        raise TrainingError(_("There is no champion with two models that could be joined."))
    return release


def _told_brands(
    kind: str, dataset: DatasetVersion, config: dict[str, Any], output: Path
) -> dict[str, Any]:
    if not datasets.has_material(dataset, kind):
        raise TrainingError(
            _("Dataset %(dataset)s has too little to train a %(model)s on.")
            % {"dataset": dataset, "model": _(kind)}
        )
    if kind in (ModelKind.CLASSIFIER, ModelKind.TEXT):
        config.setdefault("brands", datasets.trainable_brands(dataset, kind))
    if kind == ModelKind.TEXT and "brands_file" not in config:
        config["brands_file"] = str(_write_names(output))
    return config


def _write_names(output: Path) -> Path:
    """What the brands of the list are called, as the text model looks for them."""
    names = Brand.objects.values("key", "name_en", "name_zh", "aliases").order_by("key")
    path = output / NAMES
    output.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(names), ensure_ascii=False), encoding="utf-8")
    return path


def active_run(*, kind: str) -> TrainingRun | None:
    """The run of this kind that is queued or running."""
    return TrainingRun.objects.filter(kind=kind, state__in=ACTIVE).first()


def champion_version(*, kind: str) -> ModelVersion | None:
    """The version of this kind in the champion."""
    champion = Release.objects.filter(state=Release.State.CHAMPION).select_related(kind).first()
    return getattr(champion, kind) if champion else None


def most_urgent(*, otherwise: int) -> int:
    """The run that a free worker should take, whichever it was told of: a person's before a
    round's, and these before those that new labels asked for; `otherwise` where none waits."""
    turn = Case(
        When(trigger=TrainingRun.Trigger.PERSON, then=0),
        When(trigger=TrainingRun.Trigger.ROUND, then=1),
        default=2,
    )
    waiting = jobs.waiting(TrainingRun).order_by(turn, "pk")
    return waiting.values_list("pk", flat=True).first() or otherwise


def cancel_run(*, run: TrainingRun, by: User | None = None) -> None:
    """Have a run end within seconds; its checkpoint stays.

    Raises:
        ForbiddenMove: it has ended.
    """
    jobs.cancel(job=run, by=by)


def resume_run(*, run: TrainingRun, by: User | None = None) -> None:
    """Queue a failed or cancelled run again; it goes on from its last checkpoint.

    Raises:
        ForbiddenMove: it is active or has succeeded.
        TrainingActive: another of its kind is active.
    """
    try:
        jobs.resume(job=run, by=by)
    except IntegrityError as error:
        raise TrainingActive(active_run(kind=run.kind)) from error


def run(*, run_id: int) -> JobState | None:
    """Supervise the training in this process; safe to call again at any time."""
    devices = settings.TRAIN_DEVICES
    return supervise(TrainingRun, run_id, argv=command, finish=register_version, devices=devices)


def command(run: TrainingRun) -> list[str]:
    """The child's command line. On a GPU of its own it may not fall back to the CPU."""
    # These two read no pixels and know no device.
    takes_device = run.kind not in (ModelKind.TEXT, ModelKind.FUSION)
    on_gpu = takes_device and run.device.startswith("cuda")
    config = ({"device": "cuda"} if on_gpu else {}) | run.config
    is_fusion = run.kind == ModelKind.FUSION
    rows = str(Path(run.output) / fusions.ROWS) if is_fusion else run.dataset.path
    line = [sys.executable, "-m", "ml", "train", run.kind, "--manifest", rows]
    line += ["--out", str(Path(run.output) / MODEL), "--config", json.dumps(config)]
    if run.parent is not None:
        line += ["--init", run.parent.artifact]
    return line


def register_version(run: TrainingRun) -> None:
    """Make what a run has trained the next version of its kind.

    Raises:
        InputError: the artifact is incomplete.
    """
    artifact = read_artifact(Path(run.output) / MODEL, kind=run.kind)
    last = ModelVersion.objects.filter(kind=run.kind).aggregate(last=Max("number"))["last"]
    run.model_version = ModelVersion.objects.create(
        kind=run.kind,
        number=(last or 0) + 1,
        dataset=run.dataset,
        parent=run.parent,
        artifact=str(artifact.directory),
        metrics=parse_json(json.dumps(artifact.metrics)),
        config=artifact.config,
        code_version=artifact.code_version,
        size=artifact_bytes(artifact),
    )
    run.save(update_fields=["model_version"])
