"""Trainings that new labels ask for, outside the rounds, and what follows from them: the trained
model beside the champion's others makes a candidate, which is evaluated and settled by itself.

Everything here is found in the database anew at each call, so a call that is lost or repeated
changes nothing.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from active_learning import datasets, promotion, training
from active_learning.evaluations import NothingToEvaluate, request_evaluation
from active_learning.models import (
    JobState,
    ModelKind,
    Release,
    Round,
    RoundStep,
    TrainingRun,
)
from annotation.locks import advisory_lock
from annotation.models import Consensus, Task

logger = logging.getLogger(__name__)

TEACHES = {
    ModelKind.CLASSIFIER: Task.Kind.BRAND,
    ModelKind.DETECTOR: Task.Kind.BOXES,
    ModelKind.VARIATION: Task.Kind.VARIATION,
}
# A stream of labels that never pauses must not put a training off for ever: after so many times
# the quiet asked for, it is started all the same.
PATIENCE = 3


@dataclass(frozen=True)
class Plan:
    """What a look at the labels says about one model."""

    kind: str
    new_labels: int
    needed: int
    due: bool
    reason: str


def plan_triggers() -> list[Plan]:
    """For each model, whether new labels ask for a training, and why (not). Changes nothing."""
    return [_plan(kind) for kind in ModelKind.values]


def _plan(kind: str) -> Plan:
    needed = settings.RETRAIN_AFTER_LABELS
    found = _new_labels(kind)
    reason = _obstacle(kind)
    if not reason and found["count"] < needed:
        reason = f"{found['count']} of {needed} new labels"
    if not reason and not _has_settled(found["first"], found["last"]):
        reason = "labels are still coming in"
    return Plan(
        kind=kind,
        new_labels=found["count"],
        needed=needed,
        due=not reason,
        reason=reason or f"{found['count']} new labels, {needed} needed",
    )


def _new_labels(kind: str) -> dict:
    """Trusted answers decided since the dataset of the kind's last run. A run that failed counts:
    the same labels would fail again, and a person can have it resumed."""
    last = TrainingRun.objects.filter(kind=kind).select_related("dataset").first()
    return Consensus.objects.filter(
        kind=TEACHES[ModelKind(kind)],
        trusted=True,
        image__split__in=("train", "val"),
        decided_by_id__gt=last.dataset.labels_until if last else 0,
    ).aggregate(count=Count("pk"), first=Min("updated_at"), last=Max("updated_at"))


def _obstacle(kind: str) -> str:
    if promotion.champion() is None:
        return "no champion yet: a cold start comes first"
    if training.active_run(kind=kind) is not None:
        return "it is being trained"
    if _round_trains():
        return "the running round is about to train it"
    return ""


def _round_trains() -> bool:
    """Whether a round is past its labelling: it trains on all there is."""
    labelling = (RoundStep.Name.SCAN, RoundStep.Name.SELECT, RoundStep.Name.PUSH)
    unfinished = RoundStep.objects.filter(round__state=Round.State.RUNNING).exclude(
        state=RoundStep.State.DONE
    )
    return (
        unfinished.exists()
        and not unfinished.filter(name__in=(*labelling, RoundStep.Name.COLLECT)).exists()
    )


def _has_settled(first, last) -> bool:
    quiet = timedelta(seconds=settings.RETRAIN_DEBOUNCE_SECONDS)
    now = timezone.now()
    return now - last >= quiet or now - first >= PATIENCE * quiet


def check_triggers() -> list[TrainingRun]:
    """Start the trainings that are due, and move on what earlier ones led to. One caller at a
    time; another leaves it to that. Returns the runs started."""
    with advisory_lock("check triggers") as held:
        if not held:
            return []
        follow_up()
        runs = [_start(plan) for plan in plan_triggers() if plan.due]
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
        )
    except training.TrainingError as error:  # somebody was quicker, or too little to train on
        logger.info("%s: not started: %s", plan.kind, error)
        return None
    logger.info("%s: %s", run, plan.reason)
    return run


def _recipe(kind: str) -> dict:
    """What the model in use was trained with, but for the brands, which the dataset tells."""
    run = TrainingRun.objects.filter(model_version=training.champion_version(kind=kind)).first()
    config = run.config if run else {}
    return {name: value for name, value in config.items() if name != "brands"}


def follow_up() -> None:
    """Bring every model that new labels trained to its end: in a candidate, measured, settled."""
    for run in _unreleased_runs():
        versions = promotion.versions_of(promotion.champion())
        promotion.create_release(**versions | {run.kind: run.model_version})
    for candidate in _own_candidates():
        _bring_to_an_end(candidate)


def _unreleased_runs() -> list[TrainingRun]:
    runs = TrainingRun.objects.filter(
        trigger=TrainingRun.Trigger.LABELS, state=JobState.SUCCEEDED
    ).select_related("model_version")
    released = {
        kind: set(Release.objects.values_list(kind, flat=True)) for kind in ModelKind.values
    }
    return [run for run in runs.order_by("pk") if run.model_version_id not in released[run.kind]]


def _own_candidates() -> list[Release]:
    """Candidates with a model that new labels trained; a round settles its own."""
    trained = TrainingRun.objects.filter(
        trigger=TrainingRun.Trigger.LABELS, model_version__isnull=False
    ).values("model_version")
    of_any_kind = Q()
    for kind in ModelKind.values:
        of_any_kind |= Q(**{f"{kind}__in": trained})
    return list(
        Release.objects.filter(
            of_any_kind, state=Release.State.CANDIDATE, rounds__isnull=True
        ).order_by("number")
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
            promotion.settle(candidate=candidate)
    except promotion.NotEvaluated as error:
        logger.info("%s waits: %s", candidate, error)
    except NothingToEvaluate as error:
        promotion.reject(release=candidate, why=str(error))
