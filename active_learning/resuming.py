"""Running again what failed or was cancelled, and letting go on what had ended with it. What has
succeeded is kept: a resumed job takes up its own folder, a round the step that failed."""

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from active_learning import embeddings, jobs, promotion, rounds, training
from active_learning.contests import versions_of
from active_learning.evaluations import request_evaluation
from active_learning.jobs import JobError
from active_learning.models import (
    EmbeddingRun,
    Evaluation,
    JobState,
    Release,
    Round,
    RoundStep,
    Scan,
    TrainingRun,
)
from active_learning.models.jobs import Job

ENDED_BADLY = (JobState.FAILED, JobState.CANCELLED)


class AnotherInItsPlace(JobError):
    """Somebody asked for the same since, so the job itself has nothing left to do."""


def resume(*, job: Job, by: User) -> Job:
    """Run a job again, and have the round that failed with it go on. Returns the job that runs:
    another one where the release that was to be evaluated had been turned down for that failure
    alone, since its models then stand again, as a candidate of their own.

    Raises:
        ForbiddenMove: it is active or has succeeded.
        JobError: something else stands in its place (see `training.resume_run`).
        RoundError: another round was opened meanwhile.
    """
    with transaction.atomic():
        resumed = _resume(job, by)
        for round_ in _waiting_rounds(job):
            rounds.retry_round(round_=round_, by=by)
    return resumed


def _resume(job: Job, by: User) -> Job:
    if isinstance(job, TrainingRun):
        training.resume_run(run=job, by=by)
    elif isinstance(job, EmbeddingRun) and not job.images:  # the mark of a cancelled filling
        embeddings.resume_filling(by=by)
    elif isinstance(job, Evaluation) and job.state in ENDED_BADLY and _was_turned_down(job):
        return _stand_again(job.release, by)
    else:
        try:
            with transaction.atomic():
                jobs.resume(job=job, by=by)
        except IntegrityError as error:
            raise AnotherInItsPlace(_("The same has been asked for again since.")) from error
    return job


def _was_turned_down(evaluation: Evaluation) -> bool:
    """Whether the release was rejected without a verdict: what failed was the evaluation."""
    return evaluation.release.state == Release.State.REJECTED and not evaluation.release.gate


def _stand_again(release: Release, by: User) -> Evaluation:
    again = promotion.create_release(**versions_of(release))
    return request_evaluation(release=again, by=by)


def _waiting_rounds(job: Job) -> list[Round]:
    """Failed rounds whose failed step is the one that needs this job."""
    if isinstance(job, Scan):
        needs = Q(scan=job) & _failed_at(RoundStep.Name.SCAN)
    elif isinstance(job, TrainingRun):
        needs = Q(dataset=job.dataset) & _failed_at(RoundStep.Name.TRAIN)
    elif isinstance(job, Evaluation):
        of_it = Q(candidate=job.release) | Q(champion=job.release)
        needs = of_it & _failed_at(RoundStep.Name.EVALUATE)
    else:
        return []
    last = Round.objects.first()  # an older one was left behind for a newer
    found = Round.objects.filter(needs, state=Round.State.FAILED).distinct()
    return [round_ for round_ in found if round_ == last]


def _failed_at(name: str) -> Q:
    return Q(steps__name=name, steps__state=RoundStep.State.FAILED)
