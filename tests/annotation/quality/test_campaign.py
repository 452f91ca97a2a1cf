"""The simulated campaign: what is asked of label quality, and the command that measures it."""

import json

import pytest
from django.core.management import CommandError, call_command

from annotation.quality.campaign import Campaign, Rules, run
from annotation.quality.votes import MODEL
from annotation.quality.world import CLASSES, HONEST, World, look_alike, majority


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "answers"), [("people", 2.4), ("model", 1.8)])
def test_the_consensus_is_right_within_its_budget_and_holds_only_whom_it_should(mode, answers):
    outcome = run(mode=mode, seed=0)
    assert outcome.accuracy >= 0.97
    assert outcome.answers_per_item <= answers
    assert outcome.held["spammer"] < 60
    assert outcome.held["accepter"] < 60
    assert outcome.wrongly_held == 0
    assert outcome.accuracy > run(mode="majority3", seed=0).accuracy + 0.1


def small(**rules):
    campaign = Campaign(world=World(seed=1, items=80, gold=40), rules=Rules(**rules), seed=1)
    return campaign, campaign.run()


def test_nobody_is_shown_a_gold_item_twice_or_asked_an_item_twice():
    campaign, _outcome = small()
    for person in campaign.people.values():
        names = [name for name, _said in person.history]
        assert len(names) == len(set(names))


def test_answers_of_the_held_do_not_count_and_their_items_are_asked_again():
    campaign, outcome = small()
    assert "spammer" in outcome.held
    counted = {vote.annotator for votes in campaign.votes.values() for vote in votes}
    assert "spammer" not in counted
    assert all(campaign.votes[number] for number in range(80))


def test_an_item_is_asked_of_no_more_people_than_allowed():
    campaign, _outcome = small(most=2)
    assert max(len(votes) for votes in campaign.votes.values()) <= 2


def test_the_model_counts_where_everybody_was_blind_and_nowhere_else():
    world = World(seed=1, items=60, gold=20, shown=0.5)
    campaign = Campaign(world=world, rules=Rules(model=True), seed=1)
    campaign.run()
    assert MODEL in campaign.skills
    number = next(n for n, item in enumerate(world.items) if not item.blind)
    with_model = campaign.beliefs.of([*campaign.votes[number], world.model_vote(number=number)])
    assert with_model == campaign.beliefs.of(campaign.votes[number])


def test_the_world_is_as_stated():
    world = World(seed=0, items=4000)
    assert sum(item.blind for item in world.items) / 4000 == pytest.approx(0.1, abs=0.02)
    right = sum(item.proposal == item.truth for item in world.items) / 4000
    assert right == pytest.approx(0.7, abs=0.03)
    for person, accuracy in HONEST.items():
        said = [world.answer(person=person, item=i, name=n) for n, i in enumerate(world.items)]
        pairs = list(zip(said, world.items, strict=True))
        share = sum(answer == item.truth for answer, item in pairs) / 4000
        assert share == pytest.approx(accuracy, abs=0.025)
        blind_errors = [
            (answer, item)
            for answer, item in pairs
            if answer != item.truth and item.proposal == item.truth and item.truth != "none"
        ]
        twins = sum(answer == look_alike(item.truth) for answer, item in blind_errors)
        assert twins / len(blind_errors) == pytest.approx(0.5, abs=0.12)


def test_an_answer_depends_on_the_person_and_the_item_only():
    world = World(seed=0, items=5)
    first = [world.answer(person="p70", item=item, name=n) for n, item in enumerate(world.items)]
    assert first == [
        world.answer(person="p70", item=item, name=n) for n, item in enumerate(world.items)
    ]
    assert set(first) <= set(CLASSES)


def test_among_equals_the_majority_is_what_was_said_first():
    assert majority(["b", "a", "c"]) == "b"
    assert majority(["b", "a", "a"]) == "a"


def test_the_command_writes_what_it_measured(tmp_path, capsys):
    file = tmp_path / "quality.json"
    call_command(
        "simulate_quality", "--seeds=2", "--items=30", "--mode=majority3", f"--json={file}"
    )
    rows = json.loads(file.read_text())["seeds"]
    assert [(row["mode"], row["seed"]) for row in rows] == [("majority3", 0), ("majority3", 1)]
    assert rows[0]["answers_per_item"] == 3
    assert rows[0]["spammer_held_after"] is None
    assert "seed 1" in capsys.readouterr().out


@pytest.mark.parametrize("argument", ["--seeds=-1", "--items=0", "--json=/nowhere/at/all.json"])
def test_the_command_refuses_what_makes_no_sense_before_it_begins(argument):
    with pytest.raises(CommandError) as refused:
        call_command("simulate_quality", argument)
    assert refused.value.returncode == 2


@pytest.mark.django_db
def test_no_rehearsal_on_an_installation_that_is_used():
    from annotation.rehearsal.stage import RehearsalError, refuse_foreign
    from tests.factories import ImageFactory

    ImageFactory(source="product_table")
    with pytest.raises(RehearsalError, match="empty"):
        refuse_foreign()
