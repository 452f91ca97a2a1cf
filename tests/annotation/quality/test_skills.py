"""Skills found from answers alone, with gold and without."""

import random

import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import DawidSkene

from annotation.quality.pooled import PooledDawidSkene
from annotation.quality.skills import Priors, fit, fit_skills
from annotation.quality.votes import MODEL, Vote
from annotation.quality.world import CLASSES, look_alike, mistaken

PEOPLE = {"good": 0.95, "fair": 0.8, "poor": 0.6}


def answers(*, items, people=PEOPLE, each=2, seed=0):
    draw = random.Random(seed)
    truth = {item: draw.choice(CLASSES) for item in range(items)}
    votes = [
        Vote(item, name, mistaken(draw, truth[item], people[name]))
        for item in truth
        for name in draw.sample(list(people), each)
    ]
    return truth, votes


def test_accuracies_are_found_without_any_gold():
    _truth, votes = answers(items=600, each=3)
    skills = fit_skills(votes=votes, gold={}, classes=CLASSES)
    for name, accuracy in PEOPLE.items():
        assert skills[name].accuracy == pytest.approx(accuracy, abs=0.04)


def test_the_interval_holds_what_gold_shows():
    truth, votes = answers(items=200)
    skills = fit_skills(votes=votes, gold=truth, classes=CLASSES)
    for name, accuracy in PEOPLE.items():
        assert skills[name].low < accuracy < skills[name].high


def test_gold_unmasks_a_majority_that_errs_together():
    """Two repeat each other's nonsense: by votes alone they are the truth."""
    draw = random.Random(1)
    truth = {item: draw.choice(CLASSES) for item in range(120)}
    votes = []
    for item, right in truth.items():
        nonsense = draw.choice(CLASSES)
        votes += [Vote(item, "good", mistaken(draw, right, 0.95))]
        votes += [Vote(item, name, nonsense) for name in ("copy 1", "copy 2")]
    fooled = fit_skills(votes=votes, gold={}, classes=CLASSES)
    assert fooled["good"].accuracy < 0.5
    gold = {item: truth[item] for item in range(40)}
    told = fit_skills(votes=votes, gold=gold, classes=CLASSES)
    assert told["good"].accuracy > 0.8
    assert told["copy 1"].accuracy < 0.4


def test_a_look_alike_is_learned_from_everybody_together():
    truth, votes = answers(items=900)
    skill = fit_skills(votes=votes, gold=truth, classes=CLASSES)["fair"]
    twin = look_alike("brand:00")
    others = [skill.chance("brand:00", name) for name in CLASSES if name not in ("brand:00", twin)]
    assert skill.chance("brand:00", twin) > 3 * max(others)


def test_chances_are_never_zero_and_sum_to_one():
    _truth, votes = answers(items=60)
    skill = fit_skills(votes=votes, gold={}, classes=CLASSES)["poor"]
    for truth in CLASSES:
        chances = [skill.chance(truth, said) for said in CLASSES]
        assert min(chances) > 0
        assert sum(chances) == pytest.approx(1, abs=0.01)


def test_chances_in_sight_of_a_proposal_sum_to_one():
    _truth, votes = answers(items=60)
    skill = fit_skills(votes=votes, gold={}, classes=CLASSES)["poor"]
    chances = [skill.chance("brand:00", said, shown="brand:03") for said in CLASSES]
    assert sum(chances) == pytest.approx(1, abs=0.02)
    assert skill.chance("brand:00", "brand:03", shown="brand:03") > 0.1


def test_the_share_of_followed_mistakes_is_found():
    draw = random.Random(3)
    truth = {item: draw.choice(CLASSES) for item in range(400)}
    votes = []
    for item, right in truth.items():
        shown = mistaken(draw, right, 0.0)
        votes.append(Vote(item, "accepter", shown, shown=shown))
        votes.append(Vote(item, "honest", mistaken(draw, right, 0.8), shown=shown))
    skills = fit_skills(votes=votes, gold=truth, classes=CLASSES)
    assert skills["accepter"].follows > 0.95
    assert skills["honest"].follows < 0.5


def test_beginning_from_an_earlier_fit_ends_at_the_same_skills():
    _truth, votes = answers(items=500)
    cold = fit(votes=votes, gold={}, classes=CLASSES)
    warm = fit(votes=votes, gold={}, classes=CLASSES, before=cold.skills)
    for name in PEOPLE:
        assert warm.skills[name].accuracy == pytest.approx(cold.skills[name].accuracy, abs=0.01)


def test_the_model_does_not_count_where_it_was_seen():
    votes = [Vote(1, "ann", "none", shown="none"), Vote(1, MODEL, "none")]
    assert set(fit_skills(votes=votes, gold={}, classes=CLASSES)) == {"ann"}


def test_without_answers_nobody_has_a_skill():
    assert fit(votes=[], gold={}, classes=["a", "b"]).skills == {}
    assert fit(votes=[], gold={}, classes=["a", "b"]).prior == {"a": 0.5, "b": 0.5}


def test_without_pooling_it_is_the_librarys_own_model():
    """With priors that weigh nothing, the M-step is Dawid and Skene's."""
    _truth, votes = answers(items=300, each=3)
    rows = [(vote.item, vote.annotator, vote.answer) for vote in votes]
    data = pd.DataFrame(rows, columns=["task", "worker", "label"])
    theirs = DawidSkene(n_iter=5, tol=0).fit(data)
    priors = Priors(own=1e-12)
    ours = PooledDawidSkene(n_iter=5, tol=0, priors=priors, classes=sorted(CLASSES))
    ours.fit(data)
    columns = sorted(CLASSES)
    np.testing.assert_allclose(
        ours.probas_[columns].to_numpy(), theirs.probas_[columns].to_numpy(), atol=1e-3
    )
