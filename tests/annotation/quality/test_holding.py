"""Who is held: soon enough, and never by mistake."""

import random

import pytest

from annotation.quality.holding import Evidence, judge

KNOWN = {"right": 1.0}
FLOOR = 0.75


def first_hold(*, accuracy, answers, seed, every=5):
    """The number of known answers after which somebody is held; None if never."""
    draw = random.Random(f"{accuracy}:{seed}")
    evidence = []
    for number in range(1, answers + 1):
        evidence.append(Evidence("right" if draw.random() < accuracy else "wrong", KNOWN))
        if number % every == 0 and judge(evidence=evidence, floor=FLOOR, classes=13).hold:
            return number
    return None


def test_nobody_is_held_for_nothing():
    assert not judge(evidence=[], floor=FLOOR, classes=13).hold


def test_who_guesses_is_held_within_twenty_known_answers():
    assert all(
        (first_hold(accuracy=1 / 13, answers=20, seed=seed, every=1) or 99) <= 20
        for seed in range(50)
    )


@pytest.mark.slow
def test_who_is_good_is_never_held_however_often_one_looks():
    held = [first_hold(accuracy=0.85, answers=300, seed=seed) for seed in range(60)]
    assert held == [None] * 60


def test_at_the_floor_itself_false_alarms_stay_as_rare_as_promised():
    """Ville's bound with a larger alpha, so that it can be seen: at most 1 in 5 at alpha 0.2."""
    draw, held = random.Random(5), 0
    for _person in range(150):
        evidence = [
            Evidence("right" if draw.random() < FLOOR else "wrong", KNOWN) for _ in range(120)
        ]
        looks = range(10, 121, 10)
        held += any(
            judge(evidence=evidence[:n], floor=FLOOR, classes=13, alpha=0.2).hold for n in looks
        )
    assert held <= 0.2 * 150


def test_somebody_who_grows_careless_is_found_and_their_good_past_kept():
    evidence = [Evidence("right", KNOWN)] * 300 + [Evidence("wrong", KNOWN)] * 15
    verdict = judge(evidence=evidence, floor=FLOOR, classes=13)
    assert verdict.hold
    assert verdict.since >= 275


def follower(draw, *, honest, n):
    """Answers in sight of a model right 7 times in 10; others know the truth fairly well."""
    evidence = []
    for _ in range(n):
        proposal = "right" if draw.random() < 0.7 else "wrong"
        said = proposal
        if honest:
            said = "right" if draw.random() < 0.85 else draw.choice(["wrong", "odd"])
        belief = {"right": 0.95, "wrong": 0.03, "odd": 0.02}
        evidence.append(Evidence(said, belief, shown=proposal))
    return evidence


def test_who_accepts_every_proposal_is_held_although_usually_right():
    draw = random.Random(0)
    verdicts = [
        judge(evidence=follower(draw, honest=False, n=45), floor=FLOOR, classes=13)
        for _ in range(40)
    ]
    assert sum(verdict.hold for verdict in verdicts) >= 39
    assert "proposal" in verdicts[0].why


def test_who_agrees_with_a_good_model_because_it_is_right_is_not_held():
    draw = random.Random(0)
    assert not any(
        judge(evidence=follower(draw, honest=True, n=200), floor=FLOOR, classes=13).hold
        for _ in range(40)
    )


def test_the_interval_holds_the_accuracy():
    evidence = [Evidence("right", KNOWN)] * 80 + [Evidence("wrong", KNOWN)] * 20
    verdict = judge(evidence=evidence, floor=0.5, classes=13)
    assert verdict.accuracy == pytest.approx(0.794, abs=0.01)  # 81/102
    assert verdict.low < 0.75
    assert verdict.high > 0.85
    assert "80 of 100 known answers right" in verdict.why


def test_an_item_nobody_else_knows_says_nothing_of_the_floor():
    unknown = {f"class {number}": 1 / 13 for number in range(13)}
    verdict = judge(evidence=[Evidence("class 1", unknown)] * 200, floor=FLOOR, classes=13)
    assert not verdict.hold
    assert verdict.low < 0.1 and verdict.high > 0.9
