"""Whether a person's answers are still to be believed, looked at after every answer.

Looking often makes ordinary tests raise false alarms in the long run. This one is a test by
betting (Shafer, JRSS A 184, 2021): a likelihood ratio against the hypothesis "right at least as
often as the floor", averaged over the ways of being worse. Under the hypothesis its expectation
never grows, so by Ville's inequality it *ever* exceeds 1/alpha with a chance of at most alpha,
however often it is looked at. Ratios that begin at later answers are averaged in with weights
that sum to one (an e-detector: Shin, Ramdas, Rinaldo, 2023), so that a person who grows careless
is found without their good past speaking for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 1e-3  # chance of ever holding somebody who is as good as the floor
EVERY = 25  # answers between the points at which a fresh ratio begins
GRID = np.linspace(0.005, 0.995, 100)
FOLLOWS = (0.15, 0.3, 0.5)  # shares of honest mistakes that may repeat a proposal in sight
SLIP = 0.05  # an accepter clicks another answer so often


@dataclass(frozen=True)
class Evidence:
    """One answer of a person and what is believed of the item without it: {answer: probability},
    {answer: 1.0} of a gold item. With a proposal in sight (`shown`) the belief must hold the
    model's own vote, or everybody who agrees with a good model looks like its follower."""

    said: str
    truth: Mapping[str, float]
    shown: str = ""


@dataclass(frozen=True)
class Verdict:
    """`accuracy` with its 95 % interval; `since`: the answer (by its place in the evidence) from
    which on the person is not believed, when they are to be held."""

    hold: bool
    accuracy: float
    low: float
    high: float
    why: str
    since: int = 0


def judge(
    *, evidence: Sequence[Evidence], floor: float, classes: int, alpha: float = ALPHA
) -> Verdict:
    """Whether a person whose answers are `evidence`, oldest first, is to be held: surely less often
    right than `floor`, or surely saying only what the model proposed. `classes` is the number of
    answers there are."""
    if not evidence:
        return Verdict(False, 0.8, 0.0, 1.0, "no answers to compare")
    table = _Table.of(evidence)
    chances = np.log(table.chances(GRID, classes, FOLLOWS[1]))
    accuracy, low, high = _interval(chances.sum(0))
    worse = chances[:, floor > GRID] - np.log(table.chances(np.array([floor]), classes, FOLLOWS[1]))
    careless = _careless(worse)
    follower = _follower(table, floor, classes)
    worst = max(careless, follower)
    hold = worst[0] >= np.log(2 / alpha)
    what = "repeats the model's proposal" if follower > careless else f"below {floor:.0%}"
    why = f"{what if hold else 'as good as asked'}: {_figures(evidence, accuracy, low, high)}"
    return Verdict(bool(hold), accuracy, low, high, why, worst[1] if hold else 0)


@dataclass(frozen=True)
class _Table:
    """The evidence as arrays [n]: P(the answer is right), P(the proposal is right), whether there
    was one in sight, whether the answer repeats it."""

    right: np.ndarray
    proposed: np.ndarray
    shown: np.ndarray
    repeats: np.ndarray

    @classmethod
    def of(cls, evidence: Sequence[Evidence]) -> "_Table":
        rows = [
            (one.truth.get(one.said, 0.0), one.truth.get(one.shown, 0.0), one.shown, one.said)
            for one in evidence
        ]
        return cls(
            np.array([row[0] for row in rows]),
            np.array([row[1] for row in rows]),
            np.array([bool(row[2]) for row in rows]),
            np.array([row[2] == row[3] for row in rows]),
        )

    def chances(self, accuracy: np.ndarray, classes: int, follows: float) -> np.ndarray:
        """P(said | accuracy) [n, accuracies], the truth being known only so far."""
        wrong = 1.0 - self.right
        neither = np.maximum(wrong - self.proposed, 0.0)
        other = 1.0 / max(classes - 1, 1)
        mistaken = np.where(
            self.repeats,
            wrong * (follows + (1 - follows) * other),
            np.where(self.shown, other * (self.proposed + (1 - follows) * neither), other * wrong),
        )
        table = self.right[:, None] * accuracy + mistaken[:, None] * (1 - accuracy)
        return np.maximum(table, 1e-9)


def _careless(worse: np.ndarray) -> tuple[float, int]:
    """Each worse accuracy against the floor itself, of all the good ones the hardest to tell from
    a worse one; then their mean. `worse` [n, accuracies] are logs of ratios."""
    ratios = _suffixes(worse)
    return _detector(np.logaddexp.reduce(ratios, axis=1) - np.log(ratios.shape[1]))


def _follower(table: _Table, floor: float, classes: int) -> tuple[float, int]:
    """An accepter against whatever honest accuracy and share of followed mistakes explains the
    answers best (universal inference: Wasserman, Ramdas, Balakrishnan, PNAS 117, 2020), on answers
    with a proposal in sight."""
    shown = table.shown[:, None]
    slip = SLIP / max(classes - 1, 1)
    accepts = np.asarray(np.where(table.repeats, np.log(1 - SLIP), np.log(slip)))
    honest = [
        _suffixes(shown * np.log(table.chances(GRID[floor <= GRID], classes, follows))).max(1)
        for follows in FOLLOWS
    ]
    return _detector(_suffixes(shown * accepts[:, None])[:, 0] - np.max(honest, axis=0))


def _suffixes(logs: np.ndarray) -> np.ndarray:
    """Sums over the answers from 0, from EVERY, from 2 EVERY … on: [starts, columns]."""
    return np.cumsum(logs[::-1], axis=0)[::-1][::EVERY]


def _detector(ratios: np.ndarray) -> tuple[float, int]:
    """The log of the weighted mean of ratios [starts], and the answer where the weightiest
    began."""
    place = np.arange(1, len(ratios))
    weighed = ratios + np.log(np.concatenate([[0.5], 0.5 / (place * (place + 1.0))]))
    return float(np.logaddexp.reduce(weighed)), int(np.argmax(weighed)) * EVERY


def _figures(evidence: Sequence[Evidence], accuracy: float, low: float, high: float) -> str:
    known = [item.truth.get(item.said, 0.0) for item in evidence if max(item.truth.values()) >= 1.0]
    right = sum(share >= 1.0 for share in known)
    return (
        f"accuracy {accuracy:.2f} [{low:.2f}, {high:.2f}], {right} of {len(known)} known answers "
        f"right, {len(evidence) - len(known)} compared with others"
    )


def _interval(log_likelihood: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % credible interval of the accuracy, all accuracies alike beforehand."""
    weights = np.exp(log_likelihood - log_likelihood.max())
    weights /= weights.sum()
    cumulative = weights.cumsum()
    low, high = np.searchsorted(cumulative, [0.025, 0.975])
    return float(weights @ GRID), float(GRID[low]), float(GRID[min(high, len(GRID) - 1)])
