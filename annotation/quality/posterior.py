"""What an item is, given who said what of it: naive Bayes on the annotators' skills."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from annotation.quality.skills import Skill, newcomer
from annotation.quality.votes import NO_VOTE, Vote, countable

# A model however sure of itself never stands for a person.
SUREST = 0.9
UNHEARD_OF = 1e-3  # the prior of an answer that no prior names


def posterior(
    *, votes: Sequence[Vote], skills: Mapping[str, Skill], prior: Mapping[str, float]
) -> dict[str, float]:
    """P(answer | votes on one item). `prior` are the shares of the classes; annotators without a
    skill count as newcomers. Without votes it is the prior. For many items see `Beliefs`."""
    return Beliefs(skills=skills, prior=prior).of(votes)


def best(chances: Mapping[str, float]) -> tuple[str, float]:
    """The likeliest answer and its probability; ("", 0.0) of nothing."""
    return max(chances.items(), key=lambda pair: (pair[1], pair[0]), default=("", 0.0))


class Beliefs:
    """Posteriors of many items under the same skills: who says what is looked up once."""

    def __init__(self, *, skills: Mapping[str, Skill], prior: Mapping[str, float]) -> None:
        self._skills = skills
        self._prior = dict(prior)
        self._begin()

    def _begin(self) -> None:
        self._classes = list(self._prior)
        self._unknown = newcomer(classes=self._classes)
        self._shares = np.maximum(np.array(list(self._prior.values()), dtype=float), 1e-9)
        self._log_prior = np.log(self._shares)
        self._rows: dict[tuple, np.ndarray] = {}

    def of(self, votes: Sequence[Vote]) -> dict[str, float]:
        """P(answer | votes on one item).

        That a mistake may have followed a proposal in sight is left out together with what the
        proposal itself says: the first alone would hold agreement with a good model against people,
        and the second would let the model grade itself. A model is right more often than its
        mistakes are followed, so leaving out both errs on the side of asking again.
        """
        return self._combined([_blind(vote) for vote in countable(list(votes))])

    def without(self, annotator: str, votes: Sequence[Vote]) -> dict[str, float]:
        """What is believed of an item without one annotator's answer, to compare that answer with.
        The model's vote counts even where its proposal was seen: see `holding.Evidence`."""
        others = [
            vote for vote in votes if vote.annotator != annotator and vote.answer not in NO_VOTE
        ]
        return self._combined(others)

    def _combined(self, votes: Sequence[Vote]) -> dict[str, float]:
        new = {vote.answer for vote in votes} - self._prior.keys()
        if new:
            self._prior.update(dict.fromkeys(sorted(new), UNHEARD_OF))
            self._begin()
        logs = sum((self._row(vote) for vote in votes), start=self._log_prior)
        weights = np.exp(logs - logs.max())
        return dict(zip(self._classes, (weights / weights.sum()).tolist(), strict=True))

    def _row(self, vote: Vote) -> np.ndarray:
        """log P(vote | each class)."""
        key = (vote.annotator, vote.answer, vote.shown, vote.score)
        if key not in self._rows:
            skill = self._skills.get(vote.annotator, self._unknown)
            chances = np.array(
                [skill.chance(answer, vote.answer, vote.shown) for answer in self._classes]
            )
            if vote.score is not None:
                chances = self._scored(vote, chances)
            self._rows[key] = np.log(np.maximum(chances, 1e-9))
        return self._rows[key]

    def _scored(self, vote: Vote, chances: np.ndarray) -> np.ndarray:
        """A calibrated score is P(answer | picture) already: divided by the prior it is a
        likelihood. What it leaves goes to the other classes as the model mistakes them."""
        score = min(max(vote.score or 0.0, 1e-3), SUREST)
        said = self._classes.index(vote.answer)
        others = self._shares * chances
        others[said] = 0.0
        believed = (1 - score) * others / max(others.sum(), 1e-9)
        believed[said] = score
        return believed / self._shares


def _blind(vote: Vote) -> Vote:
    return replace(vote, shown="") if vote.shown else vote
