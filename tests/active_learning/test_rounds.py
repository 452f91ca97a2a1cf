"""The engine that moves rounds on; the steps' own work is proven in the end-to-end tests."""

import subprocess
import sys
import textwrap

import pytest
from django.db import connection

from active_learning import round_steps, rounds
from active_learning.models import Release, Round, RoundStep, Selection, TrainingRun
from active_learning.round_steps import StepFailed, Waiting
from annotation.locks import advisory_lock
from annotation.models import Task
from tests.active_learning.factories import DatasetVersionFactory, ScanFactory, TrainingRunFactory
from tests.factories import ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def steps(monkeypatch):
    """Steps of a cold start that succeed at once, and a record of their calls."""
    calls: list[str] = []

    def step(name):
        def do(round_):
            calls.append(name)
            return {"step": name}

        return do

    for name in rounds.COLD_START:
        monkeypatch.setitem(round_steps.STEPS, name, step(name))
    return calls


def test_without_a_champion_the_first_round_is_a_cold_start():
    round_ = rounds.open_round()
    assert round_.number == 0
    assert tuple(round_.steps.values_list("name", flat=True)) == rounds.COLD_START


def test_with_a_champion_a_round_is_whole():
    Release.objects.create(number=1, state="champion")
    round_ = rounds.open_round()
    assert round_.number == 1
    assert tuple(round_.steps.values_list("name", flat=True)) == rounds.WHOLE


def test_only_one_round_runs_at_a_time():
    rounds.open_round()
    with pytest.raises(rounds.RoundError, match="A round is running"):
        rounds.open_round()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"budgets": {}}, "no setting “budgets”"),
        ({"budget": {"brand": -1}}, "Budget of brand: “-1”"),
        ({"mix": {"luck": 1.0}}, "no strategy “luck”"),
        ({"mix": {"probe": 0.7, "uncertain": 0.7}}, "exceed 1"),
        ({"mix": {"uncertain": "a"}}, "mix: .* makes no sense"),
        ({"mix": {"uncertain": float("nan")}}, "mix: .* makes no sense"),
        ({"mix": ["probe"]}, "mix: .* makes no sense"),
        ({"budget": 120}, "budget: “120” makes no sense"),
        ({"budget": {"brand": True}}, "Budget of brand: “True”"),
        ({"models": 5}, "models: “5”"),
        ({"models": ["fusion"]}, "no model “fusion”"),
        ({"train": {"clasifier": {}}}, "no model “clasifier”"),
        ({"train": {"classifier": 1}}, "train: .* makes no sense"),
        ({"focus": "acme"}, "focus: “acme”"),
        ({"seed": -1}, "seed: “-1”"),
        ({"seed": "x"}, "seed: “x”"),
        ({"collect_seconds": "soon"}, "collect_seconds: “soon”"),
        ({"most_per_brand": 0}, "most_per_brand: “0”"),
    ],
)
def test_dials_that_make_no_sense_are_refused(config, message):
    with pytest.raises(rounds.RoundError, match=message):
        rounds.open_round(config=config)
    assert not Round.objects.exists()


def test_a_round_cannot_be_about_a_brand_that_the_champion_does_not_know():
    Release.objects.create(number=1, state="champion", brands=["acme"])
    with pytest.raises(rounds.RoundError, match="does not know “globex”"):
        rounds.open_round(config={"focus": ["acme", "globex"]})
    assert rounds.open_round(config={"focus": ["acme"]}).config["focus"] == ["acme"]


def test_a_round_that_is_cancelled_while_its_tasks_are_chosen_asks_nothing(monkeypatch):
    champion = Release.objects.create(number=1, state="champion")
    round_ = rounds.open_round()
    round_.scan = ScanFactory(release=champion)
    round_.save()

    def choose(**_):
        rounds.cancel_round(round_=round_)
        task = TaskFactory.build(image=ImageFactory())
        return [Selection(round=round_, task=task, strategy="probe", score=1, rank=1)]

    monkeypatch.setattr(round_steps.scans, "scan_table", lambda scan: None)
    monkeypatch.setattr(round_steps.selection, "choose", choose)
    with pytest.raises(Waiting, match="cancelled"):
        round_steps.select(round_)
    assert not Task.objects.exists()
    assert not Selection.objects.exists()


def test_advance_does_every_step_once_and_ends_the_round(steps):
    round_ = rounds.open_round()
    assert rounds.advance(round_id=round_.pk).state == "done"
    rounds.advance(round_id=round_.pk)
    assert steps == list(rounds.COLD_START)
    round_.refresh_from_db()
    assert round_.finished_at is not None
    assert round_.steps.get(name="train").result == {"step": "train"}


def test_a_waiting_step_is_asked_again_and_nothing_before_it_is_repeated(steps, monkeypatch):
    answers = iter([Waiting("the run"), None])

    def train(round_):
        if (answer := next(answers)) is not None:
            raise answer
        return {}

    monkeypatch.setitem(round_steps.STEPS, "train", train)
    round_ = rounds.open_round()
    assert rounds.advance(round_id=round_.pk) == rounds.Advance("running", "train", "the run")
    assert rounds.advance(round_id=round_.pk).state == "done"
    assert steps == ["freeze", "evaluate", "gate"]


def test_a_step_that_cannot_succeed_fails_the_round_and_a_retry_goes_on_there(steps, monkeypatch):
    good = round_steps.STEPS["evaluate"]

    def evaluate(round_):
        raise StepFailed("nothing to evaluate on")

    monkeypatch.setitem(round_steps.STEPS, "evaluate", evaluate)
    round_ = rounds.open_round()
    assert rounds.advance(round_id=round_.pk).state == "failed"
    assert round_.steps.get(name="evaluate").error == "nothing to evaluate on"
    monkeypatch.setitem(round_steps.STEPS, "evaluate", good)
    rounds.retry_round(round_=round_)
    assert rounds.advance(round_id=round_.pk).state == "done"
    assert steps == list(rounds.COLD_START)


def test_an_error_that_may_pass_is_tried_again_a_few_times(steps, monkeypatch):
    def train(round_):
        raise ConnectionError("redis is away")

    monkeypatch.setitem(round_steps.STEPS, "train", train)
    round_ = rounds.open_round()
    for _ in range(rounds.ATTEMPTS - 1):
        assert rounds.advance(round_id=round_.pk).state == "running"
    assert rounds.advance(round_id=round_.pk).state == "failed"
    assert "redis is away" in round_.steps.get(name="train").error


def test_a_cancelled_round_does_nothing_more(steps):
    round_ = rounds.open_round()
    rounds.cancel_round(round_=round_)
    assert rounds.advance(round_id=round_.pk).state == "cancelled"
    assert steps == []
    with pytest.raises(rounds.RoundError):
        rounds.cancel_round(round_=round_)


@pytest.mark.django_db(transaction=True)
def test_a_step_killed_in_the_middle_leaves_the_round_free_to_go_on(steps):
    round_ = rounds.open_round()
    child = subprocess.Popen(
        [sys.executable, "-c", HANGING],
        env=_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "in freeze\n"
    assert rounds.advance(round_id=round_.pk) is None, "the child holds the round"
    child.kill()
    child.wait()
    _wait_until_free(f"round {round_.pk}")
    assert round_.steps.get(name="freeze").state == RoundStep.State.RUNNING
    assert rounds.advance(round_id=round_.pk).state == "done"
    assert steps == list(rounds.COLD_START)


HANGING = textwrap.dedent(
    """
    import django, time
    django.setup()
    from active_learning import round_steps, rounds
    from active_learning.models import Round

    def freeze(round_):
        print("in freeze", flush=True)
        time.sleep(60)

    round_steps.STEPS["freeze"] = freeze
    rounds.advance(round_id=Round.objects.get().pk)
    """
)


def _environment() -> dict[str, str]:
    """The test database's address for a process of its own."""
    import os
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(os.environ["DATABASE_URL"])
    database = connection.settings_dict["NAME"]
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{database}")),
    }


def _wait_until_free(name: str) -> None:
    with advisory_lock(name, wait=True) as held:
        assert held


def test_a_model_in_training_elsewhere_holds_up_no_other_model_of_the_round():
    busy = TrainingRunFactory(kind="classifier", state="running")
    round_ = Round.objects.create(number=1, seed=1, dataset=DatasetVersionFactory())
    with pytest.raises(Waiting, match="another training of the classifier"):
        round_steps.train(round_)
    queued = TrainingRun.objects.exclude(pk=busy.pk).values_list("kind", "dataset")
    assert set(queued) == {(kind, round_.dataset_id) for kind in ("detector", "variation")}
