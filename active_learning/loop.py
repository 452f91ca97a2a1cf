"""Whole rounds from start to end, for a terminal or a script: open, watch, report."""

import importlib.metadata
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models import QuerySet

from active_learning import jobs, rounds
from active_learning.estimates import probe_precision
from active_learning.gates import reasons_in_words
from active_learning.models import (
    Evaluation,
    JobState,
    ModelKind,
    Release,
    Round,
    RoundStep,
    Scan,
    TrainingRun,
)
from ml.manifest import read_manifest

PACKAGES = ("django", "celery", "torch", "torchvision", "timm", "ultralytics")


Span = tuple[datetime, datetime]  # from when to when


class LoopFailed(Exception):
    """A round ended badly; the message says where and why."""


def run_round(
    *,
    config: dict,
    report: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
    poll_seconds: float = 1.0,
) -> Round:
    """Open a round and wait until the workers have brought it to its end. `check` is called while
    waiting and may raise.

    Raises:
        RoundError: it cannot be opened.
        LoopFailed: it failed or was cancelled.
    """
    round_ = rounds.open_round(config=config)
    said = None
    while True:
        try:
            round_.refresh_from_db()
            now = describe(round_)
        except (OperationalError, InterfaceError):
            now = "the database is away"  # the round does without this look at it
            connection.close()
        if now != said:
            report(now)
            said = now
        if round_.state != Round.State.RUNNING:
            break
        check()
        time.sleep(poll_seconds)
    if round_.state != Round.State.DONE:
        failed = round_.steps.filter(state=RoundStep.State.FAILED).first()
        raise LoopFailed(
            f"round {round_.number} {round_.state}"
            + (f" at {failed.name}: {failed.error}" if failed else "")
        )
    return round_


def describe(round_: Round) -> str:
    """One line: where the round stands."""
    step = round_.steps.exclude(state=RoundStep.State.DONE).first()
    if step is None:
        return f"round {round_.number}: {round_.state}"
    detail = ""
    if step.name == RoundStep.Name.COLLECT:
        tasks = round_.selections.count()
        left = round_.selections.filter(task__answered_at__isnull=True).count()
        detail = f" {tasks - left}/{tasks} answered"
    return f"round {round_.number}: {step.get_name_display()}{detail}"


def round_report(round_: Round) -> dict[str, Any]:
    """The machine-readable account of one round."""
    results = {step.name: step.result for step in round_.steps.all()}
    seconds = {
        step.name: round((step.finished_at - step.started_at).total_seconds(), 2)
        for step in round_.steps.all()
        if step.finished_at and step.started_at
    }
    collected = results.get("collect", {})
    return {
        "number": round_.number,
        "selected": results.get("select", {}).get("selected", {}),
        "pushed": collected.get("pushed", 0),
        "collected": collected.get("collected", 0),
        "labels_total": collected.get("labels_total", 0),
        "seconds": seconds,
        "orchestration": orchestration(round_),
        "probe_precision": probe_precision(round_=round_),
        "models": model_reports(round_.candidate) if round_.candidate else {},
    }


def orchestration(round_: Round) -> dict[str, float] | None:
    """`{"seconds", "share", "behind_others"}`: how long, and what share of a round's wall time,
    neither people were asked nor any job ran; and how many seconds more only jobs ran that are not
    of the round. None before it has ended."""
    if round_.finished_at is None:
        return None
    whole = (round_.created_at, round_.finished_at)
    wall = (whole[1] - whole[0]).total_seconds()
    of_round = list(_busy(round_))
    idle = _idle(whole, of_round)
    nothing = _idle(whole, [*of_round, *_others(round_)])
    return {
        "seconds": round(nothing, 2),
        "share": round(nothing / wall, 4) if wall else 0.0,
        "behind_others": round(idle - nothing, 2),
    }


def _idle(whole: Span, busy: Iterable[Span]) -> float:
    """Seconds of a span that lie in none of the others."""
    until, end = whole
    idle = 0.0
    for began, ended in sorted([*busy, (end, end)]):
        idle += max(0.0, (min(began, end) - until).total_seconds())
        until = max(until, ended)
    return idle


def _busy(round_: Round) -> Iterator[Span]:
    """From when to when the labelling lasted, and each job of the round."""
    releases = [pk for pk in (round_.candidate_id, round_.champion_id) if pk is not None]
    of_round: tuple[QuerySet, ...] = (
        round_.steps.filter(name=RoundStep.Name.COLLECT),
        Scan.objects.filter(round=round_),
        TrainingRun.objects.filter(dataset=round_.dataset_id, created_at__gte=round_.created_at),
        Evaluation.objects.filter(release__in=releases, created_at__gte=round_.created_at),
    )
    for rows in of_round:
        yield from _spans(rows)


def _others(round_: Round) -> Iterator[Span]:
    """From when to when each job ran that overlaps the round."""
    for model in jobs.MODELS:
        rows = model._default_manager.filter(
            finished_at__gt=round_.created_at, started_at__lt=round_.finished_at
        )
        yield from _spans(rows)


def _spans(rows: QuerySet) -> Iterator[Span]:
    done = rows.filter(started_at__isnull=False, finished_at__isnull=False)
    yield from done.values_list("started_at", "finished_at")


def model_reports(candidate: Release) -> dict[str, dict]:
    """Each model of a candidate: figures on the frozen sets and what the gate said."""
    evaluation = Evaluation.objects.filter(release=candidate, state=JobState.SUCCEEDED).first()
    if evaluation is None:
        return {}
    models = {}
    for kind in ModelKind.values:
        version, report = getattr(candidate, kind), evaluation.report.get(kind)
        if version is None or report is None:
            continue
        gate = candidate.gate.get(kind, {})
        models[kind] = {
            "version": str(version),
            "closed_mean_recall": report.get("closed", {}).get("mean_recall"),
            "open_flag_ratio": report.get("open", {}).get("flag_ratio"),
            "promoted": bool(gate.get("passed")),
            "reasons": reasons_in_words(gate),
        }
        if kind == ModelKind.DETECTOR:
            models[kind]["map50"] = report.get("map50")
    return models


def label_triggered(*, since: Round) -> list[dict]:
    """Trainings that new labels set off, outside the rounds' own."""
    runs = TrainingRun.objects.filter(
        trigger=TrainingRun.Trigger.LABELS, created_at__gte=since.created_at
    ).select_related("model_version")
    return [
        {"kind": run.kind, "version": str(run.model_version or run.kind), "state": run.state}
        for run in runs.order_by("pk")
    ]


def read_truth(path: Path) -> dict[str, dict]:
    """What simulated labelers know: the rows of a manifest by their image's sha256.

    Raises:
        InputError: there is no manifest.
    """
    return {row["sha256"]: row for row in read_manifest(path).table.to_pylist()}


def versions() -> dict[str, str]:
    """What this account was made with."""
    return {"python": platform.python_version(), "platform": sys.platform} | {
        name: importlib.metadata.version(name) for name in PACKAGES
    }


def table(reports: list[dict]) -> str:
    """The before/after table: one line a round and model."""
    lines = [
        f"{'round':>5}  {'model':<11} {'version':<16} {'recall':>7} {'mAP50':>7} "
        f"{'flagged':>8} {'precision':>15} {'labels':>7}  promoted"
    ]
    for report in reports:
        for kind, model in report["models"].items():
            precision = report["probe_precision"] if kind == ModelKind.CLASSIFIER else None
            lines.append(
                f"{report['number']:>5}  {kind:<11} {model['version']:<16} "
                f"{_figure(model['closed_mean_recall'])} {_figure(model.get('map50'))} "
                f"{_figure(model['open_flag_ratio'], percent=True)} {_interval(precision)} "
                f"{report['labels_total']:>7}  {'yes' if model['promoted'] else 'no'}"
            )
    return "\n".join(lines)


def _figure(value: float | None, *, percent: bool = False) -> str:
    width = 8 if percent else 7
    if value is None:
        return "–".rjust(width)
    return (f"{value:.2%}" if percent else f"{value:.3f}").rjust(width)


def _interval(precision: dict | None) -> str:
    if not precision or not precision["draws"]:
        return "–".rjust(15)
    return f"{precision['mean']:.2f} [{precision['low']:.2f}, {precision['high']:.2f}]".rjust(15)
