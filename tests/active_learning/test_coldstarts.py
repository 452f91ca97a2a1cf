"""A brand is started cold round by round, goes on after a kill, and can be stopped."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from active_learning import coldstarts, round_steps, rounds
from active_learning.coldstart_table import account, table
from active_learning.coldstarts import ColdStartError
from active_learning.models import ColdStart, Round, RoundStep, Selection
from active_learning.round_steps import StepFailed, Waiting
from active_learning.rounds import RoundError
from active_learning.selectors import coldstarts as selectors
from active_learning.sentences import in_words
from annotation.labels import Content, record_label
from annotation.models import Image
from ml.errors import InputError
from tests.active_learning.factories import EvaluationFactory, ReleaseFactory
from tests.annotation.ingest.conftest import folder, own_storage, picture  # noqa: F401
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def champion():
    return ReleaseFactory(state="champion", brands=["acme"])


@pytest.fixture
def nova():
    """A brand new on the list, with two training images and no negatives of its own."""
    brand = BrandFactory(key="nova", name_en="Nova")
    for _ in range(2):
        ImageFactory(split="train", weak_answer="brand", weak_brand=brand)
    return brand


@pytest.fixture
def steps(monkeypatch):
    """Steps that succeed at once; `evaluate` makes a candidate that knows what `knows` says."""
    made = {"knows": ["acme", "nova"], "rounds": []}

    def do(round_):
        return {}

    def evaluate(round_):
        made["rounds"].append(round_.number)
        round_.candidate = ReleaseFactory(brands=made["knows"], state="rejected")
        round_.save(update_fields=["candidate"])
        return {}

    for name in rounds.WHOLE:
        monkeypatch.setitem(round_steps.STEPS, name, evaluate if name == "evaluate" else do)
    return made


def go_on(times=20):
    """As beat and workers do."""
    for _ in range(times):
        for pk in Round.objects.filter(state="running").values_list("pk", flat=True):
            rounds.advance(round_id=pk)
        coldstarts.advance_running()


def names(round_):
    return tuple(round_.steps.values_list("name", flat=True))


def test_positives_are_trained_on_first_and_then_so_many_rounds_ask(champion, nova, steps):
    begun = coldstarts.start(brand=nova, rounds_wanted=2)
    go_on()
    begun.refresh_from_db()
    assert (begun.state, begun.error) == ("done", "")
    first, second, third = begun.rounds.order_by("number")
    assert names(first) == rounds.COLD_START
    assert names(second) == names(third) == rounds.WHOLE
    assert first.champion == champion
    # The gates turned the first candidate down: it looks for the brand all the same.
    assert second.champion == first.candidate
    assert third.champion == second.candidate


def test_the_dials_reach_the_rounds(champion, nova, steps):
    config = {"budget": 40, "negatives_per_brand": 25, "hard_share": 0.8}
    begun = coldstarts.start(brand=nova, rounds_wanted=1, config=config)
    go_on()
    asking = coldstarts.asked(begun).get()
    assert asking.config["focus"] == ["nova"]
    assert asking.config["budget"] == {"brand": 40, "boxes": 0, "variation": 0}
    assert asking.config["mix"]["hard_negatives"] == 0.75
    trained = {"negatives_per_brand": 25, "hard_share": 0.8}
    assert asking.config["train"] == {"classifier": trained}
    assert asking.config["models"] == ["classifier"], "the champion keeps its other models"


def test_a_brand_that_the_champion_knows_is_asked_about_at_once(nova, steps):
    knowing = ReleaseFactory(state="champion", brands=["acme", "nova"])
    begun = coldstarts.start(brand=nova, rounds_wanted=1)
    go_on()
    (only,) = begun.rounds.all()
    assert names(only) == rounds.WHOLE
    assert only.champion == knowing


def test_it_waits_for_a_round_that_is_running(champion, nova, steps):
    other = rounds.open_round()
    begun = coldstarts.start(brand=nova, rounds_wanted=1)
    assert not begun.rounds.exists()
    rounds.cancel_round(round_=other)
    go_on()
    begun.refresh_from_db()
    assert begun.state == "done"


def test_what_was_killed_between_two_rounds_goes_on_at_the_sweep(champion, nova, steps):
    begun = coldstarts.start(brand=nova, rounds_wanted=1)
    rounds.advance(round_id=begun.rounds.get().pk)  # and then the worker died
    assert begun.rounds.get().state == "done"
    coldstarts.advance_running()
    coldstarts.advance_running()
    assert begun.rounds.count() == 2, "once, however often it is called"


def test_a_cancelled_one_stops_its_round_and_opens_no_other(champion, nova, steps, monkeypatch):
    def wait(round_):
        raise Waiting("answers")

    monkeypatch.setitem(round_steps.STEPS, "train", wait)
    begun = coldstarts.start(brand=nova)
    go_on(2)
    coldstarts.cancel(cold_start=begun)
    go_on()
    begun.refresh_from_db()
    assert (begun.state, begun.rounds.get().state) == ("cancelled", "cancelled")
    with pytest.raises(ColdStartError, match="Only a running"):
        coldstarts.cancel(cold_start=begun)


def test_a_failed_round_fails_it_with_the_reason_and_it_can_go_on_there(
    champion, nova, steps, monkeypatch
):
    good = round_steps.STEPS["train"]

    def fail(round_):
        raise StepFailed("out of memory")

    monkeypatch.setitem(round_steps.STEPS, "train", fail)
    begun = coldstarts.start(brand=nova, rounds_wanted=1)
    go_on()
    begun.refresh_from_db()
    assert begun.state == "failed"
    assert "out of memory" in begun.error
    monkeypatch.setitem(round_steps.STEPS, "train", good)
    coldstarts.resume(cold_start=begun)
    go_on()
    begun.refresh_from_db()
    assert (begun.state, begun.rounds.count()) == ("done", 2)
    with pytest.raises(ColdStartError, match="Only a failed"):
        coldstarts.resume(cold_start=begun)


def test_a_classifier_trained_without_the_brand_ends_it_with_the_reason(champion, nova, steps):
    steps["knows"] = ["acme"]
    begun = coldstarts.start(brand=nova)
    go_on()
    begun.refresh_from_db()
    assert begun.state == "failed"
    assert "trained without Nova" in begun.error
    assert begun.rounds.count() == 1


def test_what_cannot_begin_is_refused_in_words(champion, nova):
    draft = BrandFactory(key="draft", state="draft")
    with pytest.raises(ColdStartError, match="not on the list"):
        coldstarts.start(brand=draft)
    with pytest.raises(ColdStartError, match="has 0 training images"):
        coldstarts.start(brand=BrandFactory(key="empty"))
    for config, message in (
        ({"budget": 0}, "Images asked a round: “0”"),
        ({"hard_share": 1.5}, "Share of hard negatives: “1.5”"),
        ({"negatives_per_brand": "many"}, "Negatives a brand: “many”"),
        ({"luck": 1}, "no setting “luck”"),
    ):
        with pytest.raises(RoundError, match=message):
            coldstarts.start(brand=nova, config=config)
    with pytest.raises(RoundError, match="from 1 to"):
        coldstarts.start(brand=nova, rounds_wanted=0)
    assert not ColdStart.objects.exists()
    coldstarts.start(brand=nova)
    with pytest.raises(ColdStartError, match="is running"):
        coldstarts.start(brand=nova)


def test_a_trusted_answer_counts_as_a_positive_and_a_contradicted_word_does_not(nova):
    said, denied = ImageFactory(), Image.objects.filter(weak_brand=nova)[0]
    record_label(
        image=said, kind="brand", content=Content(answer="brand", brand=nova), source="labeler"
    )
    record_label(image=denied, kind="brand", content=Content(answer="none"), source="labeler")
    found = set(coldstarts.positives(brand=nova))
    assert said in found
    assert denied not in found
    assert len(found) == 2


def test_a_folder_of_pictures_becomes_positives(folder):  # noqa: F811
    nova = BrandFactory(key="nova")
    for i in range(12):
        picture(i).save(folder / f"{i}.png")
    report = coldstarts.take_in(brand=nova, directory=folder)
    assert (report.added, report.labels) == (12, 12)
    assert coldstarts.positives(brand=nova).count() == 12
    with pytest.raises(InputError, match="no such folder"):
        coldstarts.take_in(brand=nova, directory=folder / "nowhere")


FIGURE = {"value": 0.5, "low": 0.2, "high": 0.8, "n": 10}
NO_FLAGS = FIGURE | {"value": 0.0, "low": 0.0}


def measured(release, per_brand, value=0.5):
    lines = [{"threshold": threshold, "per_brand": per_brand} for threshold in (0.5, 0.9, 0.99)]
    EvaluationFactory(
        release=release, state="succeeded", report={"classifier": {"fixed_thresholds": lines}}
    )


@pytest.fixture
def two_rounds(champion, nova):
    """A cold start whose two rounds have measured the brand, better the second time."""
    begun = ColdStart.objects.create(
        brand=nova, rounds_wanted=1, config=coldstarts.full_config(None)
    )
    for number, recall in ((1, 0.4), (2, 0.7)):
        candidate = ReleaseFactory(brands=["acme", "nova"])
        found = {"recall": FIGURE | {"value": recall}, "flag_ratio": FIGURE, "precision": FIGURE}
        found["precision"] = FIGURE | {"flagged": 4}
        measured(candidate, {"nova": found})
        last = begun.rounds.order_by("number").last()
        round_ = Round.objects.create(
            number=number, seed=1, state="done", cold_start=begun, candidate=candidate,
            champion=last.candidate if last else champion, finished_at=timezone.now(),
        )  # fmt: skip
        RoundStep.objects.create(
            round=round_, name="collect", position=0, state="done", result={"collected": 30}
        )
    return begun


def standings(begun):
    return selectors.standings(cold_start=selectors.cold_starts().get(pk=begun.pk))


def test_the_table_has_the_brand_after_every_round(two_rounds):
    first, second = standings(two_rounds)
    assert [line.recall.value for line in first.lines] == [0.4] * 3
    assert [line.recall.value for line in second.lines] == [0.7] * 3
    assert (second.lines[0].precision.n, second.answers) == (10, 30)
    assert second.lines[0].missing == []
    text = table([first, second])
    assert "0.40 [0.20, 0.80]" in text
    assert "0.70 [0.20, 0.80]" in text
    json.dumps(account(two_rounds))


def test_probes_are_those_of_the_release_whose_flags_were_drawn(two_rounds, nova):
    second = two_rounds.rounds.get(number=2)
    for answer in ("brand", "brand", "none"):
        task = TaskFactory(strategy="probe", focus_brand=nova)
        content = Content(answer=answer, brand=nova if answer == "brand" else None)
        Selection.objects.create(
            round=second, task=task, strategy="probe", score=0.9, rank=1, focus_brand=nova
        )
        record_label(image=task.image, kind="brand", content=content, source="labeler", task=task)
    before, after = standings(two_rounds)
    assert (before.probes.value, before.probes.n) == (pytest.approx(2 / 3), 3)
    assert after.probes is None


@pytest.mark.parametrize(
    ("per_brand", "reasons"),
    [
        ({}, ["does not know the brand"]),
        ({"nova": {}}, ["no closed image shows it", "no open images"]),
        ({"nova": {"flag_ratio": NO_FLAGS}}, ["no closed image", "no open image is"]),
        ({"nova": {"recall": FIGURE, "flag_ratio": FIGURE}}, ["none of its open flags was"]),
    ],
)  # fmt: skip
def test_the_table_says_what_is_missing_instead_of_zero(champion, nova, per_brand, reasons):
    begun = ColdStart.objects.create(brand=nova, rounds_wanted=1)
    candidate = ReleaseFactory(brands=["acme", "nova"])
    measured(candidate, per_brand)
    Round.objects.create(
        number=1, seed=1, state="done", cold_start=begun, candidate=candidate, champion=champion
    )
    line = standings(begun)[0].lines[0]
    said = [in_words(reason) for reason in line.missing]
    assert len(said) == len(reasons)
    assert all(part in text for part, text in zip(reasons, said, strict=True))
    assert "–" in table(standings(begun))


def test_the_command_refuses_what_cannot_be_with_one_line(champion):
    with pytest.raises(CommandError, match="no brand 'nobody'") as refused:
        call_command("cold_start", "nobody")
    assert refused.value.returncode == 2
    BrandFactory(key="draft", state="draft")
    with pytest.raises(CommandError, match="not on the list") as refused:
        call_command("cold_start", "draft")
    assert refused.value.returncode == 2


@pytest.mark.usefixtures("champion", "steps")
def test_the_command_takes_the_folder_in_follows_the_rounds_and_writes_the_account(
    folder,  # noqa: F811
    monkeypatch,
    tmp_path,
    capsys,
):
    nova = BrandFactory(key="nova")
    for i in range(12):
        picture(i).save(folder / f"{i}.png")
    monkeypatch.setattr(
        "active_learning.management.commands.cold_start.Command._check_workers", lambda self: None
    )
    # The workers of a running platform.
    monkeypatch.setattr(
        "active_learning.management.commands.cold_start.time.sleep", lambda seconds: go_on(1)
    )
    out = tmp_path / "account.json"
    call_command("cold_start", "nova", positives=folder, rounds=1, budget=9, json=out, verbosity=0)
    told = json.loads(out.read_text())
    assert (told["brand"], told["state"], told["config"]["budget"]) == ("nova", "done", 9)
    assert len(told["standings"]) == 2
    assert nova.cold_starts.get().state == "done"
    assert "12 images added" in capsys.readouterr().out
