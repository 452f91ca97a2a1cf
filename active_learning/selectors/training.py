"""Training runs, their curves and their logs."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import QuerySet

from active_learning import job_files
from active_learning.models import TrainingRun
from active_learning.models.jobs import Job

POINTS = 240  # a curve: about one a pixel


def runs() -> QuerySet[TrainingRun]:
    return TrainingRun.objects.select_related(
        "dataset", "requested_by", "model_version", "parent", "mirror"
    )


@dataclass(frozen=True)
class Curve:
    """One metric over a run: `points` are (seconds since the first report, value)."""

    name: str
    points: list[tuple[float, float]]

    @property
    def last(self) -> float:
        return self.points[-1][1]


def progress(job: Job) -> list[dict[str, Any]]:
    """The reports of a job so far; empty when it has not begun or its folder is gone."""
    return job_files.progress_lines(Path(job.output)) if job.output else []


def curves(reports: list[dict[str, Any]]) -> list[Curve]:
    """A curve for every metric reported at least twice."""
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for report in reports:
        seconds = report["time"] - reports[0]["time"]
        for name, value in (report.get("metrics") or {}).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                series[name].append((seconds, float(value)))
    return [Curve(name, _thin(points)) for name, points in series.items() if len(points) > 1]


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // POINTS)
    thinned = points[::step]
    return thinned if thinned[-1] == points[-1] else [*thinned, points[-1]]


def log_tail(job: Job) -> str:
    """The end of a job's log; empty when there is none."""
    return job_files.log_tail(Path(job.output)) if job.output else ""
