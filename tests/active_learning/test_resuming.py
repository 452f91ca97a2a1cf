"""Running again what failed, and what had ended with it."""

import pytest

from active_learning import jobs, promotion, resuming, rounds, triggers
from active_learning.models import EmbeddingRun, Evaluation, Release, Round, RoundStep, Scan
from annotation.models import EmbeddingSpace
from tests.active_learning.factories import (
    DatasetVersionFactory,
    EvaluationFactory,
    ModelVersionFactory,
    ReleaseFactory,
    ScanFactory,
    TrainingRunFactory,
)
from tests.active_learning.test_promotion import version  # noqa: F401
from tests.demo_rows import make_people
from tests.factories import ImageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def by(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return make_people()["ml_engineer"]


def failed_round(step: str, **fields) -> Round:
    round_ = Round.objects.create(number=7, seed=7, state="failed", **fields)
    RoundStep.objects.create(round=round_, name="freeze", position=0, state="done")
    RoundStep.objects.create(round=round_, name=step, position=1, state="failed", error="it broke")
    return round_


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_job_that_ended_badly_is_queued_again_in_its_own_folder(by, state):
    scan = ScanFactory(state=state, error="disk full", attempts=3)
    resumed = resuming.resume(job=scan, by=by)
    assert resumed == scan
    scan.refresh_from_db()
    assert (scan.state, scan.error, scan.attempts) == ("queued", "", 0)
    assert Scan.objects.get().output == scan.output


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_what_runs_or_has_succeeded_is_not_run_again(by, state):
    with pytest.raises(jobs.ForbiddenMove):
        resuming.resume(job=ScanFactory(state=state), by=by)


def test_a_job_whose_place_is_taken_says_so(by):
    release = ReleaseFactory()
    old = ScanFactory(release=release, state="failed")
    ScanFactory(release=release, state="queued")
    with pytest.raises(resuming.AnotherInItsPlace, match="asked for again"):
        resuming.resume(job=old, by=by)


def test_the_round_that_failed_with_a_training_goes_on_with_it(by):
    dataset = DatasetVersionFactory()
    run = TrainingRunFactory(dataset=dataset, state="failed", trigger="round")
    round_ = failed_round("train", dataset=dataset)
    resuming.resume(job=run, by=by)
    round_.refresh_from_db()
    run.refresh_from_db()
    assert (round_.state, run.state) == ("running", "queued")
    assert round_.steps.get(name="train").state == "waiting"
    assert round_.steps.get(name="freeze").state == "done", "what was done stays done"


@pytest.mark.parametrize("role", ["candidate", "champion"])
def test_the_round_that_failed_with_an_evaluation_goes_on_with_it(by, role):
    release = ReleaseFactory()
    evaluation = EvaluationFactory(release=release, state="failed")
    round_ = failed_round("evaluate", **{role: release})
    assert resuming.resume(job=evaluation, by=by) == evaluation
    round_.refresh_from_db()
    assert round_.state == "running"


def test_a_round_that_failed_elsewhere_is_left_alone(by):
    dataset = DatasetVersionFactory()
    run = TrainingRunFactory(dataset=dataset, state="failed")
    round_ = failed_round("gate", dataset=dataset)
    resuming.resume(job=run, by=by)
    round_.refresh_from_db()
    assert round_.state == "failed"


def test_while_another_round_runs_neither_job_nor_round_goes_on(by):
    dataset = DatasetVersionFactory()
    run = TrainingRunFactory(dataset=dataset, state="failed")
    Round.objects.create(number=3, seed=3, state="running")
    failed_round("train", dataset=dataset)
    with pytest.raises(rounds.RoundError, match="Another round is running"):
        resuming.resume(job=run, by=by)
    run.refresh_from_db()
    assert run.state == "failed"


def test_a_candidate_turned_down_unmeasured_stands_again_with_the_same_models(
    by,
    version,  # noqa: F811
):
    ImageFactory(split="closed", weak_answer="none")
    model = version("classifier", 4)
    TrainingRunFactory(kind="classifier", state="succeeded", trigger="labels", model_version=model)
    release = ReleaseFactory(classifier=model, state="candidate", gate={})
    evaluation = EvaluationFactory(release=release, state="failed", error="disk full")
    triggers.follow_up()
    release.refresh_from_db()
    assert release.state == "rejected"
    evaluation.refresh_from_db()
    again = resuming.resume(job=evaluation, by=by)
    assert (again.state, again.requested_by) == ("queued", by)
    assert again.release != release
    assert again.release.state == Release.State.CANDIDATE
    assert again.release.classifier == model, "what was trained is not trained again"
    triggers.follow_up()
    assert Evaluation.objects.filter(release=again.release).count() == 1


def test_a_release_that_the_gates_judged_is_not_revived_by_evaluating_it_again(by):
    release = ReleaseFactory(state="candidate")
    promotion.reject(release=release, why="worse")
    evaluation = EvaluationFactory(release=release, state="failed")
    assert resuming.resume(job=evaluation, by=by) == evaluation
    release.refresh_from_db()
    assert release.state == "rejected"


def test_embeddings_that_a_person_stopped_are_made_again(by):
    model = ModelVersionFactory()
    ReleaseFactory(state="champion", classifier=model)
    space = EmbeddingSpace.objects.create(model=model.artifact)
    mark = EmbeddingRun.objects.create(space=space, images=0, state="cancelled", output="/nowhere")
    resuming.resume(job=mark, by=by)
    assert not EmbeddingRun.objects.exists(), "the mark is gone, and the filling goes on"
