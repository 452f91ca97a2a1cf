"""Where the loop stands: its nine steps, what runs, and how the champions do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, F, QuerySet, Subquery, Value
from django.urls import reverse
from django.utils.translation import gettext as _

from active_learning.measures import ModelFigures, figures
from active_learning.models import (
    Evaluation,
    JobState,
    ModelKind,
    PromotionEvent,
    Round,
    Scan,
    TrainingRun,
)
from active_learning.models.jobs import ACTIVE
from active_learning.selectors import monitoring, registry, rounds, training
from annotation import selectors as annotation
from annotation.models import Image, IngestBatch, LabelStudioProject, Task
from annotation.selectors.annotators import open_holds

RUNS = 6


@dataclass(frozen=True)
class Station:
    """One step of the loop: a count with its unit, how old the last of it is, and its state."""

    name: str
    page: str
    count: int | str
    unit: str
    at: datetime | None
    state: str


@dataclass(frozen=True)
class Loop:
    stations: list[Station]
    round: Round | None
    runs: list[TrainingRun]
    champion: Evaluation | None
    models: list[tuple[str, str, ModelFigures]]  # kind, version, figures
    trends: dict[str, dict[str, list[tuple[str, float]]]]  # kind → measure → (release, value)
    events: list[PromotionEvent]
    alerts: list[str]
    labels: dict[str, Any]  # of people, with their open questions

    def shown(self) -> list:
        """What a change of shows on the page."""
        return [
            [(s.name, s.count, s.state) for s in self.stations],
            [(run.pk, run.state, run.stage, round(run.progress, 2)) for run in self.runs],
            self.round and [(step.name, step.state) for step in self.round.steps.all()],
            [event.pk for event in self.events],
            self.alerts,
            self.labels["questions"],
        ]


def loop() -> Loop:
    round_ = rounds.rounds().annotate(chosen=Count("selections")).order_by("-number").first()
    backlog = annotation.backlog()
    labels = annotation.label_totals()
    runs = list(training.runs()[:RUNS])
    history = registry.champions_history()
    events = list(registry.events()[:5])
    champion = history[-1] if history else None
    current = next((e for e in history if e.release.state == "champion"), champion)
    return Loop(
        stations=_stations(round_, backlog, runs, events, labels),
        round=round_,
        runs=runs,
        champion=current,
        models=_models(current),
        trends=_trends(history),
        events=events,
        alerts=_alerts(current, runs, round_, annotation.sync_projects()),
        labels=labels,
    )


def _stations(
    round_: Round | None,
    backlog: dict[str, dict[str, Any]],
    runs: list[TrainingRun],
    events: list[PromotionEvent],
    labels: dict[str, Any],
) -> list[Station]:
    batch = IngestBatch.objects.annotate(images_known=Subquery(_image_count())).first()
    images = batch.images_known if batch else sum(annotation.splits().values())
    last = _last_jobs()
    scan, evaluation = last.get("scan"), last.get("evaluation")
    steps = {step.name: step for step in round_.steps.all()} if round_ else {}

    def step_state(name: str) -> str:
        return steps[name].state if name in steps else "waiting"

    def count(state: str) -> int:
        return sum(row[state] for row in backlog.values())

    waiting = count(Task.State.WAITING) + count(Task.State.PUSHING)
    pushed = max((row["last_push"] for row in backlog.values() if row["last_push"]), default=None)
    select = steps.get("select")
    dataset = max((run.dataset for run in runs), key=lambda row: row.pk, default=None)
    active = [run for run in runs if run.state in ACTIVE]
    train_at = runs[0].finished_at or runs[0].started_at or runs[0].created_at if runs else None
    promotion = events[0] if events else None
    return [
        Station(
            _("Ingest"), reverse("images"), images or 0, _("images"),
            batch.finished_at or batch.started_at if batch else None,
            batch.state if batch else "waiting",
        ),
        Station(
            _("Scan"), reverse("rounds"), scan["n"] if scan else 0, _("scored"),
            scan["finished_at"] or scan["started_at"] if scan else None,
            scan["state"] if scan else "waiting",
        ),
        Station(
            _("Select"), reverse("rounds"), getattr(round_, "chosen", 0), _("chosen"),
            select.finished_at if select else None, step_state("select"),
        ),
        Station(
            _("Push"), reverse("label-studio"), waiting, _("to send"), pushed,
            "running" if waiting else ("done" if pushed else "waiting"),
        ),
        Station(
            _("Label"), reverse("labels"), labels["total"], _("labels"), labels["last_at"],
            "running" if count(Task.State.PUSHED) else ("done" if labels["total"] else "waiting"),
        ),
        Station(
            _("Freeze"), reverse("datasets"), dataset.rows if dataset else 0, _("rows"),
            dataset.created_at if dataset else None, "done" if dataset else "waiting",
        ),
        Station(
            _("Train"), reverse("training"), len(active), _("running"), train_at,
            (active[0] if active else runs[0]).state if runs else "waiting",
        ),
        Station(
            _("Evaluate"), reverse("models"),
            evaluation["n"] if evaluation else 0, _("evaluations"),
            evaluation["finished_at"] or evaluation["started_at"] if evaluation else None,
            evaluation["state"] if evaluation else "waiting",
        ),
        Station(
            _("Promote"), reverse("models"),
            promotion.release.number if promotion else "–", _("release"),
            promotion.created_at if promotion else None,
            promotion.action if promotion else "waiting",
        ),
    ]  # fmt: skip


def _last_jobs() -> dict[str, dict[str, Any]]:
    """The newest scan, with its rows as `n`, and the newest evaluation, with its number; one
    query."""
    fields = ("job", "n", "state", "started_at", "finished_at")
    newest = [
        jobs.order_by("-pk").annotate(job=Value(name), n=F(n)).values(*fields)[:1]
        for name, jobs, n in (
            ("scan", Scan.objects.filter(purpose=Scan.Purpose.POOL), "rows"),
            ("evaluation", Evaluation.objects.all(), "pk"),
        )
    ]
    return {row["job"]: dict(row) for row in newest[0].union(newest[1])}


def _image_count() -> QuerySet:
    """Of all images, as part of another query."""
    every = Image.objects.order_by().annotate(every=Value(1)).values("every")
    return every.annotate(n=Count("pk")).values("n")


def _models(champion: Evaluation | None) -> list[tuple[str, str, ModelFigures]]:
    if champion is None:
        return []
    measured = figures(champion.report)
    return [
        (kind.label, f"v{version.number}", measured[kind])
        for kind in ModelKind
        if (version := getattr(champion.release, kind)) and kind in measured
    ]


def _trends(history: list[Evaluation]) -> dict[str, dict[str, list[tuple[str, float]]]]:
    trends: dict[str, dict[str, list[tuple[str, float]]]] = {}
    for evaluation in history:
        name = str(evaluation.release.number)
        for kind, model in figures(evaluation.report).items():
            row = trends.setdefault(kind, {"recall": [], "flagged": [], "map50": []})
            for measure, value in (
                ("recall", model.recall.value if model.recall else None),
                ("flagged", model.flagged.value if model.flagged else None),
                ("map50", model.map50),
            ):
                if value is not None:
                    row[measure].append((name, value))
    return trends


def _alerts(
    champion: Evaluation | None,
    runs: list[TrainingRun],
    round_: Round | None,
    projects: list[LabelStudioProject],
) -> list[str]:
    """What a person should look at, in words."""
    alerts = monitoring.open_lines()
    for kind, _version, model in _models(champion):
        if model.flagged and model.flagged.low > settings.FLAG_RATIO_BUDGET:
            alerts.append(
                _("The %(kind)s flags %(ratio).2f%% of the open set; the budget is %(budget).2f%%.")
                % {
                    "kind": _(kind),
                    "ratio": 100 * model.flagged.value,
                    "budget": 100 * settings.FLAG_RATIO_BUDGET,
                }
            )
    if round_ is not None and round_.state == Round.State.FAILED:
        failed = next((step for step in round_.steps.all() if step.state == "failed"), None)
        alerts.append(
            _("Round %(number)d failed at “%(step)s”: %(error)s")
            % {
                "number": round_.number,
                "step": failed.get_name_display() if failed else "–",
                "error": failed.error if failed else "",
            }
        )
    seen = set()
    for run in runs:  # only the last of a kind: an older failure was answered by a newer run
        if run.kind not in seen and run.state == JobState.FAILED:
            alerts.append(
                _("The last training of the %(kind)s failed: %(error)s")
                % {"kind": _(run.get_kind_display()), "error": run.error}
            )
        seen.add(run.kind)
    alerts += [
        _("%(name)s: %(kind)s labels are held. %(reason)s")
        % {
            "name": hold.user.get_username(),
            "kind": _(hold.get_kind_display()),
            "reason": hold.reason,
        }
        for hold in open_holds()
    ]
    alerts += [
        _("Label Studio, %(kind)s project: %(error)s")
        % {"kind": _(project.get_kind_display()), "error": project.last_error}
        for project in projects
        if project.last_error
    ]
    return alerts
