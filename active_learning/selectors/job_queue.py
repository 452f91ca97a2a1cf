"""Every job that waits, runs or ended badly, of whatever kind, in one list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

from django.db.models import Case, CharField, Count, F, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from active_learning import jobs
from active_learning.models import EmbeddingRun, JobState, SourceRun, TrainingRun
from active_learning.models.jobs import ACTIVE, Job

# What each kind of job is of, and what its page is found by.
SUBJECTS: Mapping[str, tuple[str, str]] = {
    "trainingrun": ("kind", "pk"),
    "scan": ("release__number", "release__number"),
    "evaluation": ("release__number", "release__number"),
    "embeddingrun": ("images", "pk"),
    "datasetexport": ("format", "dataset__sha256"),
    "explanation": ("label", "image__sha256"),
    "forecast": ("release__number", "pk"),
    "worth": ("round__number", "round__number"),
    "sourcerun": ("source__name", "pk"),
}
NAMES: Mapping[str, Any] = {
    "trainingrun": gettext_lazy("training"),
    "scan": gettext_lazy("scan of the pool"),
    "evaluation": gettext_lazy("evaluation"),
    "embeddingrun": gettext_lazy("embeddings"),
    "datasetexport": gettext_lazy("export of a dataset"),
    "explanation": gettext_lazy("heat map"),
    "forecast": gettext_lazy("preview of a round"),
    "worth": gettext_lazy("worth of a round"),
    "sourcerun": gettext_lazy("taking in of a source"),
}
PAGES: Mapping[str, str] = {
    "trainingrun": "run",
    "scan": "release",
    "evaluation": "release",
    "datasetexport": "dataset",
    "explanation": "image",
    "forecast": "forecast",
    "worth": "round",
    "sourcerun": "source-run-detail",
}
MODELS: Mapping[str, type[Job]] = {str(model._meta.model_name): model for model in jobs.MODELS}
# What pages call the queues of workers.
QUEUE_NAMES: Mapping[str, Any] = {
    "background": pgettext_lazy("queue", "background"),
    "default": pgettext_lazy("queue", "general"),
    "scan": pgettext_lazy("queue", "scans"),
    "train": pgettext_lazy("queue", "trainings"),
}


@dataclass(frozen=True)
class Entry:
    """One job. `subject`: what it is of, in words; `cause`: what asked for it where no person did
    (round, labels, platform)."""

    job: str
    pk: int
    state: str
    queue: str
    machine: str
    device: str
    stage: str
    progress: float
    attempts: int
    error: str
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    person: str
    cause: str
    subject: str
    place: str

    @property
    def title(self) -> str:
        return str(NAMES[self.job])

    @property
    def page(self) -> str:
        """Address of what it is of; of embeddings the case library tells."""
        if self.job not in PAGES:
            return reverse("cases")
        return reverse(PAGES[self.job], args=[self.place])

    @property
    def of(self) -> str:
        said = {
            "scan": _("release %(number)s"),
            "evaluation": _("release %(number)s"),
            "forecast": _("release %(number)s"),
            "worth": _("round %(number)s"),
            "embeddingrun": _("%(number)s images"),
        }
        if self.job in said:
            return said[self.job] % {"number": self.subject}
        return _(self.subject) if self.job == "trainingrun" else self.subject

    @property
    def may_cancel(self) -> bool:
        return self.state in ACTIVE and not self.cancel_requested


@dataclass(frozen=True)
class Total:
    """How many jobs of a queue wait or run, by the machine that runs them ("" of those waiting)."""

    queue: str
    machine: str
    state: str
    jobs: int


def entries(
    *, job: str = "", state: str = "", queue: str = "", machine: str = ""
) -> QuerySet[Any, dict[str, Any]]:
    """Rows for `Entry`, of all kinds: by default those that wait or run, the running ones first,
    then by age; of those that ended, the last first. Empty arguments narrow nothing."""
    states = [state] if state else [str(one) for one in ACTIVE]
    wanted = [model for name, model in MODELS.items() if job in ("", name)]
    parts = [_rows(model, states, queue, machine) for model in wanted]
    every = reduce(lambda one, other: one.union(other, all=True), parts)
    if set(states) <= set(ACTIVE):
        return every.order_by("-state", "created_at", "job", "pk")
    return every.order_by("-finished_at", "job", "pk")


def _rows(
    model: type[Job], states: list[str], queue: str, machine: str
) -> QuerySet[Any, dict[str, Any]]:
    name = str(model._meta.model_name)
    rows = _with_queue(model).filter(state__in=states)
    if queue:
        rows = rows.filter(queue=queue)
    if machine:
        rows = rows.filter(machine=machine)
    subject, place = SUBJECTS[name]
    has_person = any(field.name == "requested_by" for field in model._meta.fields)
    has_trigger = model in (TrainingRun, SourceRun)
    cause = F("trigger") if has_trigger else Value("round" if name == "worth" else "platform")
    return rows.annotate(
        job=Value(name, CharField()),
        subject=Cast(subject, CharField()),
        place=Cast(place, CharField()),
        cause=Cast(cause, CharField()),
        person=Coalesce("requested_by__username", Value("")) if has_person else Value(""),
    ).values(*Entry.__dataclass_fields__)


def _with_queue(model: type[Job]) -> QuerySet[Any]:
    usual = Value(jobs.queue_of(jobs.TASKS[model]), CharField())
    rows = model._default_manager.order_by()
    if model is not EmbeddingRun:
        return rows.annotate(queue=usual)
    picture = Value(jobs.queue_of(jobs.PICTURE_TASK), CharField())
    return rows.annotate(queue=Case(When(picture="", then=usual), default=picture))


def totals() -> list[Total]:
    """Of all queues, one query. A job that waits again counts for no machine."""
    parts = [
        _with_queue(model)
        .filter(state__in=ACTIVE)
        .annotate(on=Case(When(state=JobState.RUNNING, then=F("machine")), default=Value("")))
        .values("queue", "on", "state")
        .annotate(n=Count("pk"))
        .values_list("queue", "on", "state", "n")
        for model in jobs.MODELS
    ]
    found: dict[tuple[str, str, str], int] = {}
    for *key, n in reduce(lambda one, other: one.union(other, all=True), parts):
        queue, machine, state = key
        found[queue, machine, state] = found.get((queue, machine, state), 0) + n
    return [Total(*key, n) for key, n in sorted(found.items())]
