"""One campaign: buy a batch, learn a linear head from all that is known, measure, and again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.linear_model import LogisticRegression

from ml.bench.labels.material import Material
from ml.errors import Cancelled
from ml.evaluate.recall import common_threshold, hits, mean_recall, recall_by_brand
from ml.forecast.heads import Labelled, joined, learn, probabilities
from ml.models.base import ShouldStop

FLAG_RATIO = 0.01
GROWTH = 1.1  # of a batch over the one before


@dataclass
class State:
    """What a strategy may look at.

    Attributes:
        looks: (n, d) of the items that can still be bought.
        probabilities: (n, brands + 1) of the head learned so far; the last is none.
        known: all that is labelled.
        threshold: what flags `FLAG_RATIO` of images that nobody answered.
        probe_hits, probe_draws: (brands,) what the probes bought so far have shown.
    """

    brands: int
    looks: np.ndarray
    probabilities: np.ndarray
    known: Labelled
    threshold: float
    head: LogisticRegression
    rng: np.random.Generator
    probe_hits: np.ndarray
    probe_draws: np.ndarray
    probed: dict[int, int] = field(default_factory=dict)  # item of this batch: brand


Strategy = Callable[[State, int], np.ndarray]


def growing(first: int, steps: int) -> list[int]:
    """Sizes of so many batches: small ones while little is known, as who begins would ask, and then
    larger, so that a long campaign does not take many."""
    return [round(first * GROWTH**step) for step in range(steps)]


def run_campaign(
    material: Material,
    strategy: Strategy,
    *,
    batches: Sequence[int],
    seed: int,
    should_stop: ShouldStop,
) -> tuple[list[tuple[int, float]], np.ndarray]:
    """Labels bought and recall at `FLAG_RATIO` after each of the batches, at first with none
    bought, and the last again where the pool is bought out; and the items (m,) in the order in
    which they were bought.

    Raises:
        Cancelled: `should_stop` became true.
    """
    rng = np.random.default_rng(seed)
    left, known = np.arange(len(material.pool)), material.given
    bought: list[int] = []
    hits_, draws = np.zeros(material.brands), np.zeros(material.brands)
    head = learn(known)
    curve = [(0, recall_of(head, material))]
    for batch in batches:
        if should_stop():
            raise Cancelled
        if not len(left):
            curve.append(curve[-1])
            continue
        looks = material.pool.looks[left]
        online = probabilities(head, material.online, material.brands)[:, :-1]
        state = State(
            brands=material.brands,
            looks=looks,
            probabilities=probabilities(head, looks, material.brands),
            known=known,
            threshold=float(common_threshold(online, FLAG_RATIO)),
            head=head,
            rng=rng,
            probe_hits=hits_,
            probe_draws=draws,
        )
        chosen = np.unique(strategy(state, min(batch, len(left))))
        for item, brand in state.probed.items():
            draws[brand] += 1
            hits_[brand] += material.pool.answers[left[item]] == brand
        bought += left[chosen].tolist()
        left = np.delete(left, chosen)
        known = joined(material.given, material.pool.only(np.array(bought)))
        head = learn(known, near=head)
        curve.append((len(bought), recall_of(head, material)))
    return curve, np.array(bought)


def whole_pool(material: Material) -> float:
    """Recall when everything is labelled."""
    return recall_of(learn(joined(material.given, material.pool)), material)


def recall_of(head: LogisticRegression, material: Material) -> float:
    """Mean recall of the closed set over brands, at the threshold that flags so much of the open
    set. Source: the article's section 4, by the functions that evaluate models."""
    scores = {
        name: probabilities(head, looks, material.brands)[:, :-1]
        for name, looks in (("open", material.open_), ("closed", material.closed.looks))
    }
    limit = common_threshold(scores["open"], FLAG_RATIO)
    answers = material.closed.answers
    found = hits(scores["closed"], answers, np.full(material.brands, limit))
    return mean_recall(recall_by_brand(found, answers.astype(str)))
