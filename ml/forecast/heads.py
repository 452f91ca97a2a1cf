"""A linear head on frozen embeddings: learned in a second where a network takes minutes, so that it
can be learned anew for every what-if."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

PENALTY = 30.0  # LogisticRegression's C: embeddings have length one
PASSES = 200


@dataclass(frozen=True)
class Labelled:
    """Embeddings (n, d) float32, L2-normalised, and answers (n,): a brand's place, or the number
    of brands for none of them."""

    looks: np.ndarray
    answers: np.ndarray

    def __len__(self) -> int:
        return len(self.answers)

    def only(self, rows: np.ndarray) -> "Labelled":
        return Labelled(self.looks[rows], self.answers[rows])


def joined(one: Labelled, other: Labelled) -> Labelled:
    return Labelled(
        np.concatenate([one.looks, other.looks]), np.concatenate([one.answers, other.answers])
    )


def learn(known: Labelled, *, near: LogisticRegression | None = None) -> LogisticRegression:
    """
    Args:
        known: of two answers at least.
        near: a head of nearly the same rows and of the same answers, to begin at.
    """
    head = LogisticRegression(C=PENALTY, max_iter=PASSES, warm_start=near is not None)
    if near is not None and np.array_equal(near.classes_, np.unique(known.answers)):
        head.coef_, head.intercept_ = near.coef_.copy(), near.intercept_.copy()
        head.classes_ = near.classes_
    # Products this small gain nothing from a second thread, and on a busy machine the threads wait
    # for each other many times as long as the work takes.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        # So many passes are enough for the last digits not to matter.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return head.fit(known.looks, known.answers)


def probabilities(head: LogisticRegression, looks: np.ndarray, brands: int) -> np.ndarray:
    """(n, brands + 1); 0 for what no known item shows."""
    found = np.zeros((len(looks), brands + 1), np.float32)
    found[:, head.classes_] = head.predict_proba(looks)
    return found
