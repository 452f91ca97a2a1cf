"""Trainings that new labels ask for, outside the rounds, and what follows from them: the trained
model beside the champion's others makes a candidate, which is evaluated and settled by itself.

Everything here is found in the database anew at each call, so a call that is lost or repeated
changes nothing.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery.schedules import crontab
from django.conf import settings
from django.db.models import Count, Max, Min, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from active_learning import contests, datasets, fusing, fusions, promotion, settling, training
from active_learning.evaluations import NothingToEvaluate, request_evaluation
from active_learning.models import (
    DatasetVersion,
    JobState,
    ModelKind,
    Release,
    Round,
    RoundStep,
    Shadow,
    TrainingRun,
)
from active_learning.models.jobs import ACTIVE
from active_learning.sentences import Sentence, in_words, sentence
from annotation.locks import advisory_lock
from annotation.models import Consensus, Task
from annotation.models.image import LEARNED_SPLITS

logger = logging.getLogger(__name__)

TEACHES = {
    ModelKind.CLASSIFIER: Task.Kind.BRAND,
    ModelKind.DETECTOR: Task.Kind.BOXES,
    ModelKind.VARIATION: Task.Kind.VARIATION,
    ModelKind.TEXT: Task.Kind.BRAND,
}
BY_ITSELF = (TrainingRun.Trigger.LABELS, TrainingRun.Trigger.PROMOTION)
# A stream of labels that never pauses must not put a training off for ever: after so many times
# the quiet asked for, it is started all the same.
PATIENCE = 3


@dataclass(frozen=True)
class Plan:
    """What a look at the labels says about one model.

    Attributes:
        reason: what asks for the training, or what stands against it.
    """

    kind: str
    new_labels: int
    due: bool
    reason: Sentence


@dataclass
class _News:
    """Trusted answers that the kind's last run did not have: how many, the most of one brand, and
    when the first and the last of them were decided; and the highest label id that decided one."""

    count: int = 0
    brand: str = ""
    of_brand: int = 0
    first: datetime | None = None
    last: datetime | None = None
    until: int = 0


def plan_triggers() -> list[Plan]:
    """For each model, whether new labels ask for a training, and why (not); for the fusion whether
    the champion's other models do. Changes nothing."""
    of_kind = TrainingRun.objects.filter(kind=OuterRef("kind")).order_by().values("kind")
    last_runs = {
        run.kind: run
        for run in TrainingRun.objects.order_by("kind", "-pk")
        .distinct("kind")
        .annotate(
            trained_until=of_kind.annotate(until=Max(covered_until("dataset__"))).values("until")
        )
    }
    news = _news({kind: run.trained_until for kind, run in last_runs.items()})
    obstacles = _obstacles(news)
    plans = [_plan(kind, news[kind], last_runs.get(kind), obstacles.get(kind)) for kind in TEACHES]
    return [*plans, _plan_fusion(obstacles.get(ModelKind.FUSION))]


def _plan_fusion(obstacle: Sentence | None) -> Plan:
    if obstacle is None and fusing.due_release() is None:
        obstacle = sentence("the champion's models are as they were, or cannot be joined")
    return Plan(ModelKind.FUSION.value, 0, due=obstacle is None, reason=obstacle or fusing.why())


def _plan(kind: str, news: _News, last_run: TrainingRun | None, obstacle: Sentence | None) -> Plan:
    asks = _asks(news, last_run)
    if obstacle is None and asks is None:
        obstacle = sentence(
            "%(count)s of %(needed)s new labels",
            count=news.count,
            needed=settings.RETRAIN_AFTER_LABELS,
        )
    if obstacle is None and not _has_settled(news):
        obstacle = sentence("labels are still coming in")
    return Plan(kind, news.count, due=obstacle is None, reason=obstacle or asks or {})


def _asks(news: _News, last_run: TrainingRun | None) -> Sentence | None:
    """The first rule that the new labels meet. Without any new label nothing asks."""
    if not news.count or news.first is None:
        return None
    if news.count >= settings.RETRAIN_AFTER_LABELS:
        return sentence(
            "%(count)s new labels, %(needed)s needed",
            count=news.count,
            needed=settings.RETRAIN_AFTER_LABELS,
        )
    if 0 < settings.RETRAIN_AFTER_BRAND_LABELS <= news.of_brand:
        return sentence(
            "%(count)s new labels of %(brand)s, %(needed)s needed",
            count=news.of_brand,
            brand=news.brand,
            needed=settings.RETRAIN_AFTER_BRAND_LABELS,
        )
    longest = timedelta(hours=settings.RETRAIN_LONGEST_WAIT_HOURS)
    if longest and timezone.now() - news.first >= longest:
        return sentence(
            "the oldest of %(count)s new labels has waited %(hours)s hours",
            count=news.count,
            hours=settings.RETRAIN_LONGEST_WAIT_HOURS,
        )
    if settings.RETRAIN_SCHEDULE and _is_scheduled(last_run):
        return sentence(
            "%(count)s new labels, by the schedule %(schedule)s",
            count=news.count,
            schedule=settings.RETRAIN_SCHEDULE,
        )
    return None


def _is_scheduled(last_run: TrainingRun | None) -> bool:
    """Whether the schedule has come round since the kind was last trained."""
    schedule = crontab.from_string(settings.RETRAIN_SCHEDULE)
    return last_run is None or schedule.is_due(last_run.created_at).is_due


def _news(trained_until: Mapping[str, int]) -> dict[str, _News]:
    """By kind, trusted answers decided since what it was trained on. A run that failed counts: the
    same labels would fail again, and a person can have it resumed."""
    return {
        kind: _news_since(teaches, trained_until.get(kind, 0)) for kind, teaches in TEACHES.items()
    }


def covered_until(of: str = "") -> Coalesce:
    """The highest label id that a dataset (`of`: the way to it) covers."""
    return Coalesce(f"{of}coverage__labels_until", f"{of}labels_until")


def _news_since(teaches: str, until: int) -> _News:
    news = _News()
    rows = Consensus.objects.filter(
        kind=teaches, decided_by_id__gt=until, trusted=True, image__split__in=LEARNED_SPLITS
    )
    for brand, count, first, last, decided_by in (
        rows.values_list("brand__key")
        .annotate(
            n=Count("pk"),
            first=Min("updated_at"),
            last=Max("updated_at"),
            until=Max("decided_by_id"),
        )
        .order_by("brand__key")
    ):
        news.count += count
        news.first = min(news.first or first, first)
        news.last = max(news.last or last, last)
        news.until = max(news.until, decided_by)
        if brand and count > news.of_brand:
            news.brand, news.of_brand = brand, count
    return news


def _obstacles(news: Mapping[str, _News]) -> dict[str, Sentence]:
    """By kind, what stands against a training, where anything does."""
    if promotion.champion() is None:
        no_champion = sentence("no champion yet: a cold start comes first")
        return dict.fromkeys(ModelKind.values, no_champion)
    found: dict[str, Sentence] = {}
    if _round_trains():
        round_trains = sentence("the running round is about to train it")
        found = dict.fromkeys(ModelKind.values, round_trains)
    newest = (
        DatasetVersion.objects.annotate(until=covered_until()).order_by("-until", "-pk").first()
    )
    for kind in TEACHES:
        if newest is not None and datasets.has_material(newest, kind):
            continue
        if kind == ModelKind.TEXT:
            found[kind] = sentence("too few titles to train it on")
        # What came since may be what it lacked: only a dataset that covers it can tell.
        elif newest is not None and newest.until >= news[kind].until:
            found[kind] = sentence("the dataset has too little to train it on")
    active = TrainingRun.objects.filter(state__in=ACTIVE).values_list("kind", flat=True)
    return found | dict.fromkeys(active, sentence("it is being trained"))


def _round_trains() -> bool:
    """Whether a round is past its labelling: it trains on all there is."""
    labelling = (RoundStep.Name.SCAN, RoundStep.Name.SELECT, RoundStep.Name.PUSH)
    unfinished = set(
        RoundStep.objects.filter(round__state=Round.State.RUNNING)
        .exclude(state=RoundStep.State.DONE)
        .values_list("name", flat=True)
    )
    return bool(unfinished) and unfinished.isdisjoint((*labelling, RoundStep.Name.COLLECT))


def _has_settled(news: _News) -> bool:
    quiet = timedelta(seconds=settings.RETRAIN_DEBOUNCE_SECONDS)
    now = timezone.now()
    return not (news.first and news.last) or (
        now - news.last >= quiet or now - news.first >= PATIENCE * quiet
    )


def check_triggers() -> list[TrainingRun]:
    """Start the trainings that are due, and move on what earlier ones led to. One caller at a
    time; another leaves it to that. Returns the runs started."""
    with advisory_lock("check triggers") as held:
        if not held:
            return []
        follow_up()
        runs = [
            fusing.start() if plan.kind == ModelKind.FUSION else _start(plan)
            for plan in plan_triggers()
            if plan.due
        ]
        return [run for run in runs if run is not None]


def _start(plan: Plan) -> TrainingRun | None:
    dataset = datasets.freeze_dataset()
    if TrainingRun.objects.filter(kind=plan.kind, dataset=dataset).exists():
        logger.info("%s: the new labels change nothing that it is trained on", plan.kind)
        return None
    try:
        run = training.request_training(
            kind=plan.kind,
            dataset=dataset,
            trigger=TrainingRun.Trigger.LABELS,
            config=_recipe(plan.kind),
            why=plan.reason,
        )
    except training.TrainingError as error:  # somebody was quicker, or too little to train on
        logger.info("%s: not started: %s", plan.kind, error)
        return None
    logger.info("%s: %s", run, in_words(plan.reason))
    return run


def _recipe(kind: str) -> dict:
    """What the model in use was trained with, but for the brands and what they are called, which
    the dataset and the list tell."""
    run = TrainingRun.objects.filter(model_version=training.champion_version(kind=kind)).first()
    config = run.config if run else {}
    return {name: v for name, v in config.items() if name not in ("brands", "brands_file")}


def follow_up() -> None:
    """Bring every model that nobody asked for to its end: in a candidate, measured, settled."""
    for run in _unreleased_runs():
        if run.kind == ModelKind.FUSION and not fusing.is_of_champion(run):
            continue  # of models that are in use no more
        before = promotion.versions_of(promotion.champion())
        versions = fusions.without_a_stranger(before, before | {run.kind: run.model_version})
        promotion.create_release(**versions)
    for candidate in _own_candidates():
        _bring_to_an_end(candidate)


def _unreleased_runs() -> list[TrainingRun]:
    runs = TrainingRun.objects.filter(
        trigger__in=BY_ITSELF, state=JobState.SUCCEEDED
    ).select_related("model_version")
    released = {
        kind: set(Release.objects.values_list(kind, flat=True)) for kind in ModelKind.values
    }
    return [run for run in runs.order_by("pk") if run.model_version_id not in released[run.kind]]


def _own_candidates() -> list[Release]:
    """Candidates with a model that nobody asked for; a round settles its own."""
    trained = TrainingRun.objects.filter(trigger__in=BY_ITSELF, model_version__isnull=False).values(
        "model_version"
    )
    of_any_kind = Q()
    for kind in ModelKind.values:
        of_any_kind |= Q(**{f"{kind}__in": trained})
    return list(
        Release.objects.filter(of_any_kind, state=Release.State.CANDIDATE, rounds__isnull=True)
        .exclude(shadow__state=Shadow.State.RUNNING)  # it is settled when that is over
        .order_by("number")
    )


def _bring_to_an_end(candidate: Release) -> None:
    evaluation = candidate.evaluations.first()
    try:
        if evaluation is None:
            request_evaluation(release=candidate)
        elif evaluation.state in (JobState.FAILED, JobState.CANCELLED):
            why = f"its evaluation {evaluation.state}: {evaluation.error}".rstrip(": ")
            promotion.reject(release=candidate, why=why)
        elif evaluation.state == JobState.SUCCEEDED:
            settling.settle(candidate=candidate)
    except contests.NotEvaluated as error:
        logger.info("%s waits: %s", candidate, error)
    except NothingToEvaluate as error:
        promotion.reject(release=candidate, why=str(error))
