"""Combining votes: figures calculated by hand."""

import pytest

from annotation.quality.asking import ask_again
from annotation.quality.posterior import SUREST, Beliefs, best, posterior
from annotation.quality.skills import ANY, Skill
from annotation.quality.votes import MODEL, Vote, countable

PRIOR = {"a": 0.5, "b": 0.5}


def skill(accuracy, follows=0.3):
    rows = {truth: {truth: accuracy, ANY: 1 - accuracy} for truth in PRIOR}
    return Skill(accuracy, 0.0, 1.0, 10, rows, follows)


def test_one_answer_is_believed_as_much_as_its_giver():
    votes = [Vote(1, "ann", "a")]
    assert posterior(votes=votes, skills={"ann": skill(0.9)}, prior=PRIOR)["a"] == pytest.approx(
        0.9
    )


def test_two_that_agree_multiply_their_odds():
    votes = [Vote(1, "ann", "a"), Vote(1, "bob", "a")]
    chances = posterior(votes=votes, skills={"ann": skill(0.9), "bob": skill(0.8)}, prior=PRIOR)
    assert chances["a"] == pytest.approx(36 / 37)  # odds 9 x 4


def test_without_votes_it_is_the_prior():
    assert posterior(votes=[], skills={}, prior={"a": 0.7, "b": 0.3}) == pytest.approx(
        {"a": 0.7, "b": 0.3}
    )


def test_unsure_says_nothing():
    votes = [Vote(1, "ann", "unsure"), Vote(1, "bob", "")]
    assert posterior(votes=votes, skills={}, prior=PRIOR)["a"] == pytest.approx(0.5)


def test_an_answer_that_no_prior_names_can_win():
    votes = [Vote(1, name, "new") for name in ("ann", "bob", "cai", "dan")]
    assert best(posterior(votes=votes, skills={}, prior=PRIOR))[0] == "new"


def test_a_calibrated_score_is_believed_as_it_stands():
    votes = [Vote(1, MODEL, "a", score=0.6)]
    skills = {MODEL: skill(0.7)}
    for prior in (PRIOR, {"a": 0.9, "b": 0.1}):
        assert posterior(votes=votes, skills=skills, prior=prior)["a"] == pytest.approx(0.6)


def test_no_score_makes_the_model_surer_than_the_cap():
    votes = [Vote(1, MODEL, "a", score=0.9999)]
    assert posterior(votes=votes, skills={}, prior=PRIOR)["a"] == pytest.approx(SUREST)


def test_the_model_has_no_vote_where_its_proposal_was_seen():
    seen = Vote(1, "ann", "a", shown="a")
    model = Vote(1, MODEL, "a", score=0.9)
    assert countable([seen, model]) == [seen]
    assert countable([Vote(1, "ann", "a"), model])[-1] == model


def test_what_was_in_sight_moves_no_consensus_but_speaks_for_a_comparison():
    """Compared with others, agreement with a proposal counts with the model's word beside it."""
    beliefs = Beliefs(
        skills={"ann": skill(0.8, follows=0.9)}, prior={"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
    )
    seen, blind = Vote(1, "ann", "a", shown="a"), Vote(1, "ann", "a")
    assert beliefs.of([seen]) == beliefs.of([blind])
    assert beliefs.without("bob", [seen])["a"] < beliefs.without("bob", [blind])["a"]


def test_an_answer_is_compared_with_what_the_others_said():
    beliefs = Beliefs(skills={"ann": skill(0.9), "bob": skill(0.8)}, prior=PRIOR)
    votes = [Vote(1, "ann", "a"), Vote(1, "bob", "b")]
    assert beliefs.without("bob", votes)["a"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("chances", "answers", "budget", "asked"),
    [
        ({"a": 0.99}, 0, 9, True),  # nobody has looked yet, whatever the model says
        ({"a": 0.94, "b": 0.06}, 1, 9, True),
        ({"a": 0.96, "b": 0.04}, 1, 9, False),
        ({"a": 0.50, "b": 0.50}, 5, 9, False),  # asked of everybody there is
        ({"a": 0.50, "b": 0.50}, 1, 0, False),  # nothing left to pay with
    ],
)
def test_another_is_asked_while_in_doubt_and_affordable(chances, answers, budget, asked):
    again = ask_again(posterior=chances, answers=answers, target=0.95, most=5, budget_left=budget)
    assert again is asked
