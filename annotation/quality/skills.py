"""How well each annotator answers, fitted over all answers: Dawid–Skene (Applied Statistics 28,
1979) by crowd-kit, with the mistakes pooled.

A whole confusion matrix a person needs thousands of answers. But people mistake the same things:
a brand for its look-alike. So each has an accuracy of their own, all share what is mistaken for
what, and a person's own matrix bends away from that only as their own answers pile up.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import betaincinv  # scipy.stats takes 1.5 s to import

from annotation.quality.pooled import PooledDawidSkene, confusions
from annotation.quality.votes import MODEL, Vote, countable

ANY = "*"  # in a confusion: every class that is not named
FAINT = 1e-6


@dataclass(frozen=True)
class Priors:
    """What is believed before any answer, in answers' worth."""

    right: float = 8.0  # of a person nobody knows: 8 right of 10
    wrong: float = 2.0
    shape: float = 12.0  # mistakes of one class are spread evenly, until so many say otherwise
    own: float = 200.0  # answers to one class before a person's own matrix weighs half
    follows: tuple[float, float] = (3.0, 7.0)  # mistakes that follow a shown proposal, that do not


@dataclass(frozen=True)
class Skill:
    """How one annotator answers: the mean of being right with its 95 % interval, from so many
    answers that could be compared with something, and what is said of what, smoothed:
    {truth: {said: probability}}, where "*" stands for each class not named. `follows` is the share
    of mistakes that repeat a shown proposal."""

    accuracy: float
    low: float
    high: float
    answers: float = 0
    confusion: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    follows: float = 0.3

    def chance(self, truth: str, said: str, shown: str = "") -> float:
        """P(said | truth, proposal shown); never 0."""
        row = self.confusion.get(truth) or self.confusion.get(ANY, {})
        right = row.get(truth, self.accuracy)
        if said == truth:
            return max(right, FAINT)
        blind = row.get(said, row.get(ANY, (1 - right) / 10))
        if not shown or shown == truth:
            return max(blind, FAINT)
        followed = (1 - right) if said == shown else 0.0
        return max((1 - self.follows) * blind + self.follows * followed, FAINT)


def newcomer(*, classes: Sequence[str], priors: Priors | None = None) -> Skill:
    """The skill of somebody who has not answered yet."""
    priors = priors or Priors()
    accuracy = priors.right / (priors.right + priors.wrong)
    other = (1 - accuracy) / max(len(classes) - 1, 1)
    low, high = betaincinv(priors.right, priors.wrong, [0.025, 0.975])
    follows = priors.follows[0] / sum(priors.follows)
    return Skill(accuracy, float(low), float(high), 0, {ANY: {ANY: other}}, follows)


@dataclass(frozen=True)
class Fit:
    """The skills, and the share of each class."""

    skills: dict[str, Skill]
    prior: dict[str, float]


def fit_skills(
    *,
    votes: Sequence[Vote],
    gold: Mapping[Hashable, str],
    classes: Sequence[str],
    priors: Priors | None = None,
) -> dict[str, Skill]:
    """The skill of every annotator in `votes`. `gold` are the items whose truth is known."""
    return fit(votes=votes, gold=gold, classes=classes, priors=priors).skills


def fit(
    *,
    votes: Sequence[Vote],
    gold: Mapping[Hashable, str],
    classes: Sequence[str],
    priors: Priors | None = None,
    before: Mapping[str, Skill] | None = None,
) -> Fit:
    """As `fit_skills`, with the share of each class. `before` are the skills of an earlier fit:
    the search begins there and takes a few steps instead of dozens."""
    priors = priors or Priors()
    everything = countable(list(votes))
    counted = _compared(everything, gold)
    names = sorted({*classes, *(vote.answer for vote in everything), *gold.values()})
    stranger = newcomer(classes=names, priors=priors)
    unseen = dict.fromkeys(sorted({vote.annotator for vote in everything}), stranger)
    if not counted:
        return Fit(unseen, {name: 1 / len(names) for name in names})
    numbers = {item: number for number, item in enumerate(dict.fromkeys(v.item for v in counted))}
    # A pseudo-annotator says every class once of an item known to be it: so that each class has
    # its column, and none a share of zero.
    rows = [(-1 - at, "", name) for at, name in enumerate(names)]
    rows += [(numbers[vote.item], vote.annotator, vote.answer) for vote in counted]
    data = pd.DataFrame(rows, columns=["task", "worker", "label"])
    known = {-1 - at: name for at, name in enumerate(names)}
    known |= {numbers[item]: truth for item, truth in gold.items() if item in numbers}
    model = PooledDawidSkene(
        n_iter=30, tol=1e-4, priors=priors, classes=names, before=before or {}, known=list(known)
    )
    model.fit(data, true_labels=pd.Series(known))
    skills = {**unseen, **_read(model, data, counted, names, priors)}
    return Fit(skills, _shares(model, everything, skills, numbers, gold))


def _compared(votes: Sequence[Vote], gold: Mapping[Hashable, str]) -> list[Vote]:
    """The votes that say something of who gave them: on items that another annotator judged too,
    or whose truth is known. An answer compared with nothing would only confirm itself."""
    times = Counter(vote.item for vote in votes)
    return [vote for vote in votes if times[vote.item] > 1 or vote.item in gold]


def _read(
    model: PooledDawidSkene,
    data: pd.DataFrame,
    votes: Sequence[Vote],
    names: Sequence[str],
    priors: Priors,
) -> dict[str, Skill]:
    assert model.probas_ is not None  # noqa: S101  # there is data
    probas = model.probas_.reindex(columns=names).fillna(0.0)
    workers, people = pd.factorize(data["worker"])
    counts = model.counts(data, probas, workers, len(people))
    accuracy, matrices = confusions(counts, people == MODEL, priors)
    belief = probas.reindex(index=data["task"][-len(votes) :]).to_numpy()
    follows = _follows(votes, belief, names, priors)
    skills = {}
    for at, person in enumerate(people):
        if person == "":
            continue
        right, total = np.trace(counts[at]), counts[at].sum()
        low, high = betaincinv(right + priors.right, total - right + priors.wrong, [0.025, 0.975])
        skills[person] = Skill(
            accuracy=float(accuracy[at]),
            low=float(low),
            high=float(high),
            answers=round(float(total)),
            confusion=_sparse(matrices[at], names),
            follows=float(follows[person]),
        )
    return skills


def _shares(
    model: PooledDawidSkene,
    votes: Sequence[Vote],
    skills: Mapping[str, Skill],
    compared: Mapping[Hashable, int],
    gold: Mapping[Hashable, str],
) -> dict[str, float]:
    """The share of each class, over all items: those that one answer settled say nothing of a
    skill, but are no random part of the items. Gold is chosen by hand and left out."""
    assert model.probas_ is not None  # noqa: S101  # there is data
    names = list(model.classes)
    chosen = [number for item, number in compared.items() if item in gold]
    beliefs = model.probas_.drop(index=chosen).reindex(columns=names).fillna(0.0)
    total = beliefs.to_numpy().sum(0)
    share = total / total.sum()
    alone = Counter(
        (vote.annotator, vote.answer)
        for vote in votes
        if vote.item not in compared and vote.annotator != MODEL
    )
    for (annotator, said), times in alone.items():
        belief = share * [skills[annotator].chance(truth, said) for truth in names]
        total = total + times * belief / belief.sum()
    return dict(zip(names, (total / total.sum()).tolist(), strict=True))


def _sparse(matrix: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """{truth: {said: p}} of a matrix [s, t]: what stands out by name, the rest as one figure."""
    rows = {}
    for column, truth in enumerate(names):
        chances = matrix[:, column]
        typical = float(np.median(np.delete(chances, column))) if len(names) > 1 else 0.0
        named = (chances > 1.5 * typical) | (np.arange(len(names)) == column)
        rest = chances[~named]
        rows[truth] = {
            names[at]: round(float(chances[at]), 6) for at in np.flatnonzero(named).tolist()
        }
        rows[truth][ANY] = round(float(rest.mean()) if len(rest) else typical, 6)
    return rows


def _follows(
    votes: Sequence[Vote], belief: np.ndarray, names: Sequence[str], priors: Priors
) -> dict[str, float]:
    """Of the mistakes made in sight of a wrong proposal, the share that repeat it, by annotator."""
    place = {name: at for at, name in enumerate(names)}
    tally: dict[str, list[float]] = {vote.annotator: list(priors.follows) for vote in votes}
    for vote, chances in zip(votes, belief, strict=True):
        if not vote.shown:
            continue
        wrong = 1.0 - chances[place[vote.answer]]
        if vote.answer == vote.shown:
            tally[vote.annotator][0] += wrong
        elif vote.shown in place:
            # Where the proposal was right, a mistake could not follow it.
            tally[vote.annotator][1] += max(wrong - chances[place[vote.shown]], 0.0)
    return {person: yes / (yes + no) for person, (yes, no) in tally.items()}
