"""When new labels start a training, and how what it trained comes into use by itself."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from active_learning import rounds, training, triggers
from active_learning.models import (
    Evaluation,
    JobState,
    PromotionEvent,
    Release,
    RoundStep,
    TrainingRun,
)
from active_learning.sentences import in_words
from annotation.labels import Content, record_label
from annotation.models import Consensus
from tests.active_learning.factories import ReleaseFactory, TrainingRunFactory
from tests.active_learning.test_promotion import evaluated, report, version  # noqa: F401
from tests.demo_rows import make_people
from tests.factories import BrandFactory, ImageFactory

pytestmark = pytest.mark.django_db
NEEDED = 6


@pytest.fixture(autouse=True)
def dials(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.RETRAIN_AFTER_LABELS = NEEDED
    settings.RETRAIN_DEBOUNCE_SECONDS = 60


@pytest.fixture
def champion(version):  # noqa: F811
    release = ReleaseFactory(state="champion", classifier=version("classifier", 1))
    return evaluated(release, classifier=0.5)


@pytest.fixture
def label():
    """Label images, half with a brand; as if the last answer was so many seconds ago."""
    brand = BrandFactory(key="acme")

    def answer(count, *, ago=600):
        for number in range(count):
            content = Content(answer="brand", brand=brand) if number % 2 else Content(answer="none")
            image = ImageFactory(split="train")
            record_label(image=image, kind="brand", content=content, source="labeler")
        Consensus.objects.update(updated_at=timezone.now() - timedelta(seconds=ago))

    return answer


def plan(kind="classifier"):
    return next(plan for plan in triggers.plan_triggers() if plan.kind == kind)


def reason(kind="classifier"):
    return in_words(plan(kind).reason)


@pytest.mark.usefixtures("champion")
def test_enough_new_labels_start_one_training(label):
    label(NEEDED - 1)
    assert (plan().due, reason()) == (False, f"{NEEDED - 1} of {NEEDED} new labels")
    assert triggers.check_triggers() == []
    label(1)
    assert plan().due
    (run,) = triggers.check_triggers()
    assert (run.kind, run.trigger, run.state) == ("classifier", "labels", "queued")
    assert run.dataset.rows == NEEDED
    assert reason() == "it is being trained"
    assert triggers.check_triggers() == []


@pytest.mark.usefixtures("champion")
def test_a_few_labels_are_enough_where_they_are_of_one_brand(label, settings):
    settings.RETRAIN_AFTER_LABELS, settings.RETRAIN_AFTER_BRAND_LABELS = 100, 4
    label(6)
    assert (plan().due, reason()) == (False, "6 of 100 new labels")
    label(2)
    assert (plan().due, reason()) == (True, "4 new labels of acme, 4 needed")
    (run,) = triggers.check_triggers()
    assert in_words(run.why) == "4 new labels of acme, 4 needed"


@pytest.mark.usefixtures("champion")
def test_a_single_label_waits_no_longer_than_the_longest_wait(label, settings):
    settings.RETRAIN_LONGEST_WAIT_HOURS = 5
    label(1, ago=4.9 * 3600)
    assert not plan().due
    Consensus.objects.update(updated_at=timezone.now() - timedelta(hours=5.1))
    assert plan().due
    assert reason() == "the oldest of 1 new labels has waited 5 hours"
    settings.RETRAIN_LONGEST_WAIT_HOURS = 0
    assert not plan().due


def test_a_schedule_trains_what_is_new_since_the_last_run(label, settings, champion):
    settings.RETRAIN_SCHEDULE = "0 3 * * *"
    run = TrainingRunFactory(
        kind="classifier", state="succeeded", model_version=champion.classifier
    )
    assert not plan().due  # nothing is new
    label(1)
    assert not plan().due  # trained after three o'clock
    day_ago = timezone.now() - timedelta(days=1, minutes=1)
    TrainingRun.objects.filter(pk=run.pk).update(created_at=day_ago)
    assert plan().due
    assert reason() == "1 new labels, by the schedule 0 3 * * *"


def test_a_persons_training_comes_before_those_that_labels_asked_for(champion):
    first = TrainingRunFactory(kind="classifier", trigger="labels")
    urgent = TrainingRunFactory(kind="detector", trigger="person")
    assert training.most_urgent(otherwise=first.pk) == urgent.pk
    TrainingRun.objects.filter(pk=urgent.pk).update(state="succeeded")
    assert training.most_urgent(otherwise=urgent.pk) == first.pk
    TrainingRun.objects.filter(pk=first.pk).update(state="succeeded")
    assert training.most_urgent(otherwise=first.pk) == first.pk


@pytest.mark.usefixtures("champion")
def test_the_plan_starts_nothing_and_is_the_same_by_command_and_api(label, tmp_path):
    label(NEEDED)
    call_command("train", "--plan", "--json", str(tmp_path / "plan.json"))
    plans = json.loads((tmp_path / "plan.json").read_text())["plans"]
    assert [one["kind"] for one in plans if one["due"]] == ["classifier"]
    client = Client()
    client.force_login(make_people()["ml_engineer"])
    assert client.get("/api/training-runs/plan/").json() == plans
    assert TrainingRun.objects.count() == 0


def test_the_command_asks_for_a_model(champion):
    with pytest.raises(CommandError, match="name a model"):
        call_command("train")


def test_a_triggered_training_is_done_as_the_model_in_use_was(label, champion):
    TrainingRunFactory(
        kind="classifier", state="succeeded", model_version=champion.classifier,
        config={"warm_epochs": 3, "brands": ["retired"]},
    )  # fmt: skip
    label(NEEDED)
    (run,) = triggers.check_triggers()
    assert run.config == {"warm_epochs": 3, "brands": ["acme"]}


@pytest.mark.usefixtures("champion")
def test_labels_of_another_kind_do_not_count(label):
    label(NEEDED)
    assert plan("variation").new_labels == 0
    assert [plan.kind for plan in triggers.plan_triggers() if plan.due] == ["classifier"]


@pytest.mark.usefixtures("champion")
def test_a_training_is_put_off_while_labels_come_in_but_not_for_ever(label):
    label(NEEDED, ago=5)
    assert (plan().due, reason()) == (False, "labels are still coming in")
    waited = 60 * triggers.PATIENCE + 1
    first = Consensus.objects.first()
    Consensus.objects.filter(pk=first.pk).update(
        updated_at=timezone.now() - timedelta(seconds=waited)
    )
    assert plan().due


def test_without_a_champion_nothing_is_triggered(label):
    label(NEEDED)
    assert reason().startswith("no champion yet")


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(("done", "due"), [(3, True), (4, False)])
def test_a_round_past_its_labelling_trains_anyway(label, done, due):
    label(NEEDED)
    round_ = rounds.open_round()
    round_.steps.filter(position__lt=done).update(state=RoundStep.State.DONE)
    assert plan().due is due


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_labels_that_a_run_was_given_do_not_start_another_however_it_ended(label, state):
    label(NEEDED)
    (run,) = triggers.check_triggers()
    TrainingRun.objects.filter(pk=run.pk).update(state=state)
    assert plan().new_labels == 0
    label(NEEDED)
    assert plan().due


@pytest.mark.usefixtures("champion")
def test_labels_that_change_nothing_start_no_training(label):
    label(NEEDED)
    (run,) = triggers.check_triggers()
    TrainingRun.objects.filter(pk=run.pk).update(state="cancelled")
    for row in Consensus.objects.select_related("image", "brand"):
        content = Content(answer=row.answer, brand=row.brand)
        record_label(image=row.image, kind="brand", content=content, source="labeler")
    Consensus.objects.update(updated_at=timezone.now() - timedelta(hours=1))
    assert plan().due
    assert triggers.check_triggers() == []
    assert TrainingRun.objects.count() == 1
    assert not plan().due, "they are covered: the dataset is not frozen again and again"
    assert plan().new_labels == 0


@pytest.mark.usefixtures("champion")
def test_too_little_to_train_a_kind_on_is_found_out_once(settings):
    settings.RETRAIN_AFTER_LABELS = 1
    box = {"x1": 1, "y1": 1, "x2": 9, "y2": 9, "brand": BrandFactory(key="acme").key}

    def boxed():
        record_label(
            image=ImageFactory(split="train"), kind="boxes", content=Content(boxes=[box]),
            source="labeler",
        )  # fmt: skip
        Consensus.objects.update(updated_at=timezone.now() - timedelta(hours=1))

    boxed()
    assert plan("detector").due
    assert triggers.check_triggers() == []
    assert (plan("detector").due, plan("detector").new_labels) == (False, 1)
    assert reason("detector") == "the dataset has too little to train it on"
    boxed()
    assert plan("detector").due, "what came since may be what it lacked"


def finished(version, champion, number=2):  # noqa: F811
    """A training that labels started and that succeeded."""
    return TrainingRunFactory(
        trigger="labels", state="succeeded", model_version=version("classifier", number)
    )


def evaluate(release, recall):
    Evaluation.objects.filter(release=release).update(
        state=JobState.SUCCEEDED,
        manifest_sha256="0" * 64,
        report={"classifier": report(recall)},
    )


@pytest.fixture
def test_set():
    ImageFactory(split="closed", weak_answer="none")


@pytest.mark.usefixtures("test_set")
@pytest.mark.parametrize(("recall", "state"), [(0.7, "champion"), (0.1, "rejected")])
def test_what_labels_trained_is_measured_and_settled_by_itself(
    version,  # noqa: F811
    champion,
    recall,
    state,
):
    run = finished(version, champion)
    for _ in range(2):
        triggers.check_triggers()
    candidate = Release.objects.get(classifier=run.model_version)
    assert candidate.state == "candidate"
    assert candidate.evaluations.get().state == "queued", "asked for once"
    evaluate(candidate, recall)
    for _ in range(2):
        triggers.check_triggers()
    candidate.refresh_from_db()
    assert candidate.state == state
    assert PromotionEvent.objects.filter(release=candidate).count() == 1


@pytest.mark.usefixtures("test_set")
def test_a_candidate_that_cannot_be_measured_is_rejected_with_the_reason(version, champion):  # noqa: F811
    run = finished(version, champion)
    triggers.check_triggers()
    candidate = Release.objects.get(classifier=run.model_version)
    candidate.evaluations.update(state="failed", error="no open rows")
    triggers.check_triggers()
    assert candidate.events.get().why == "its evaluation failed: no open rows"


def test_without_test_sets_the_candidate_is_rejected(version, champion):  # noqa: F811
    run = finished(version, champion)
    triggers.check_triggers()
    candidate = Release.objects.get(classifier=run.model_version)
    assert candidate.state == "rejected"
    assert "no test images" in candidate.events.get().why


def test_a_rounds_own_candidate_is_left_to_the_round(version, champion):  # noqa: F811
    run = finished(version, champion)
    candidate = ReleaseFactory(classifier=run.model_version)
    round_ = rounds.open_round()
    round_.candidate = candidate
    round_.save()
    evaluated(candidate, classifier=0.9)
    triggers.check_triggers()
    candidate.refresh_from_db()
    assert candidate.state == "candidate"
