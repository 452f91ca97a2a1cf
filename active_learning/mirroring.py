"""Training runs told to MLflow, where one is configured.

At least once and to the same end: the run is found by a tag of ours before it is made, and carries
how many of its metrics it has, so that telling again adds what is missing. The training itself
knows nothing of this; what fails here is kept beside the run and tried again.
"""

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Now

from active_learning.job_files import progress_lines
from active_learning.mlflow import Client, MlflowError
from active_learning.models import JobState, ModelKind, Release, RunMirror, TrainingRun

logger = logging.getLogger(__name__)

ENDED = {
    JobState.SUCCEEDED: "FINISHED",
    JobState.FAILED: "FAILED",
    JobState.CANCELLED: "KILLED",
}
TAG, SENT = "touchstone.run", "touchstone.metrics_sent"
CLAIM = timedelta(minutes=5)  # a telling takes less, or its teller has died
LONGEST = timedelta(hours=1)  # between two attempts
AT_ONCE = 20  # runs a call
METRICS, PARAMS, LENGTH = 500, 100, 500


def mirror_due() -> int:
    """Tell MLflow of runs that have ended and it does not know so yet, up to the first failure: a
    server that is away would hold the worker up at every one. Returns how many were told; none
    where no MLflow is configured."""
    told = 0
    for run in due_runs()[:AT_ONCE] if settings.MLFLOW_TRACKING_URI else ():
        if not _mirror(run):
            break
        told += 1
    return told


def due_runs() -> QuerySet[TrainingRun]:
    """The oldest first, each with `release`: the number of the first release that holds its model,
    which may be made long after the run; 0 where none does."""
    version = OuterRef("model_version")
    holds = Q()
    for kind in ModelKind.values:
        holds |= Q(**{kind: version})
    first = Release.objects.filter(holds).order_by("number").values("number")[:1]
    runs = TrainingRun.objects.annotate(release=Coalesce(Subquery(first), Value(0)))
    stale = ~Q(mirror__told_state=F("state")) | ~Q(mirror__told_release=F("release"))
    return (
        runs.filter(state__in=ENDED)
        .filter(Q(mirror__isnull=True) | (Q(mirror__next_at__lte=Now()) & stale))
        .select_related("dataset", "model_version", "parent")
        .order_by("pk")
    )


def _mirror(run: TrainingRun) -> bool:
    mirror, _ = RunMirror.objects.get_or_create(run=run)
    mine = RunMirror.objects.filter(pk=mirror.pk)
    if not mine.filter(next_at__lte=Now()).update(next_at=Now() + Value(CLAIM)):
        return False  # another worker tells of it
    release = run.release  # type: ignore[attr-defined]  # of due_runs
    try:
        with Client(base_url=settings.MLFLOW_TRACKING_URI) as client:
            remote_id = _tell(client, run, release)
    except (MlflowError, OSError, ValueError, KeyError) as error:
        wait = min(timedelta(seconds=30) * 2 ** min(mirror.attempts, 10), LONGEST)
        mine.update(attempts=F("attempts") + 1, error=str(error), next_at=Now() + Value(wait))
        logger.warning("%s is not told to MLflow: %s", run, error)
        return False
    mine.update(
        remote_id=remote_id,
        told_state=run.state,
        told_release=release,
        told_at=Now(),
        next_at=Now(),
        attempts=0,
        error="",
    )
    return True


def _tell(client: Client, run: TrainingRun, release: int) -> str:
    """Returns MLflow's id of the run."""
    name = Path(run.output).name  # told apart from runs of other installations too
    started = _milliseconds(run.started_at or run.created_at)
    experiment = client.experiment(settings.MLFLOW_EXPERIMENT)
    run_id = client.find_run(experiment=experiment, tag=TAG, value=name) or client.create_run(
        experiment=experiment, name=name, start_time=started, tags={TAG: name}
    )
    client.log(run_id, tags=tags_of(run, release))
    for params in _batches(list(params_of(run).items()), PARAMS):
        client.log(run_id, params=dict(params))
    metrics = list(metrics_of(run))
    sent = int(client.tags(run_id).get(SENT, 0))
    for batch in _batches(metrics[sent:], METRICS):
        sent += len(batch)
        # In the same call, the count after the figures: cut off between them, the same figures
        # come again, with the same steps and times.
        client.log(run_id, metrics=batch, tags={SENT: str(sent)})
    ended = _milliseconds(run.finished_at or run.created_at)
    client.end_run(run_id, status=ENDED[JobState(run.state)], end_time=ended)
    return run_id


def tags_of(run: TrainingRun, release: int) -> dict[str, str]:
    """What the run was made from and what became of it."""
    version = run.model_version
    tags = {
        "touchstone.kind": run.kind,
        "touchstone.trigger": run.trigger,
        "touchstone.dataset": run.dataset.sha256,
        "touchstone.parent": str(run.parent or ""),
        "touchstone.version": str(version or ""),
        "touchstone.code_version": version.code_version if version else "",
        "touchstone.artifact": version.artifact if version else "",
        "touchstone.release": str(release or ""),
        "touchstone.error": run.error[:LENGTH],
    }
    return {name: value for name, value in tags.items() if value}


def params_of(run: TrainingRun) -> dict[str, str]:
    """What the training was asked for, and all that it then assumed; nested names are joined by
    dots. MLflow has no param changed, so a run that failed first and is told again tells of both
    apart."""
    config = run.model_version.config if run.model_version else {}
    return dict([*_flat(run.config, "asked."), *_flat(config, "")])


def _flat(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield _name(before + name), text[:LENGTH]


def metrics_of(run: TrainingRun) -> Iterator[dict[str, Any]]:
    """The curves, point by point; the step is the number of the report."""
    for step, line in enumerate(progress_lines(Path(run.output))):
        for name, value in line.get("metrics", {}).items():
            if isinstance(value, int | float) and math.isfinite(value):
                yield {
                    "key": _name(name),
                    "value": float(value),
                    "timestamp": int(1000 * line["time"]),
                    "step": step,
                }


def _name(text: str) -> str:
    """As MLflow takes names."""
    return re.sub(r"[^A-Za-z0-9_\-. /]", "_", text)[:250]


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _milliseconds(time: datetime) -> int:
    return int(1000 * time.timestamp())
