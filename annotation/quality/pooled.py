"""Dawid–Skene whose annotators share what they mistake for what."""

from collections.abc import Mapping, Sequence
from typing import Any

import attr
import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene

from annotation.quality.votes import MODEL


@attr.s
class PooledDawidSkene(DawidSkene):
    """crowd-kit's EM with another M-step, as its own one-coin model does it. An annotator's matrix
    is the mean of a Dirichlet posterior around `accuracy on the diagonal, shared mistakes beside
    it`; the model's mistakes are a pool of their own.

    The search begins at the skills `before`, and for others at what their answers to the `known`
    tasks say: not at the majority, which may be several people who repeat each other's nonsense,
    and which the search then never leaves. With `known` None it begins as the library does.
    """

    priors: Any = attr.ib(kw_only=True)
    classes: Sequence[str] = attr.ib(kw_only=True)
    before: Mapping[str, Any] = attr.ib(kw_only=True, factory=dict)
    known: Sequence[int] | None = attr.ib(kw_only=True, default=None)

    def __attrs_post_init__(self) -> None:
        self._begun = False

    def _m_step(  # type: ignore[override]
        self, data: pd.DataFrame, probas: pd.DataFrame, *_initial: Any
    ) -> pd.DataFrame:
        workers, names = pd.factorize(data["worker"])
        if not self._begun and self.known is not None:
            probas = probas[probas.index.isin(self.known)]
        counts = self.counts(data, probas, workers, len(names))
        _accuracy, errors = confusions(counts, names == MODEL, self.priors)
        for at, name in enumerate(names):
            if not self._begun and name in self.before:
                errors[at] = self._chances(self.before[name])
        self._begun = True
        rows = pd.MultiIndex.from_product([names, self.classes], names=["worker", "label"])
        flat = errors.reshape(-1, len(self.classes))
        return pd.DataFrame(flat, index=rows, columns=pd.Index(self.classes, name="label"))

    @staticmethod
    def _correct_probas_with_golden(
        probas: pd.DataFrame, true_labels: "pd.Series[Any]"
    ) -> pd.DataFrame:
        """As the library does it, in one step instead of two a class."""
        rows = probas.index.get_indexer(true_labels.index)
        here = rows >= 0
        values = probas.to_numpy(copy=True)
        values[rows[here]] = 0.0
        values[rows[here], probas.columns.get_indexer(true_labels[here])] = 1.0
        return pd.DataFrame(values, index=probas.index, columns=probas.columns)

    def _chances(self, skill: Any) -> np.ndarray:
        """P(said s | truth t) [s, t] of a skill fitted earlier."""
        return np.array([[skill.chance(t, s) for t in self.classes] for s in self.classes])

    def counts(
        self, data: pd.DataFrame, probas: pd.DataFrame, workers: np.ndarray, n: int
    ) -> np.ndarray:
        """How often each annotator said s of an item that is t, expected: [workers, s, t]."""
        said = pd.Index(self.classes).get_indexer(data["label"])
        truth = probas.reindex(index=data["task"], columns=self.classes).to_numpy()
        counts = np.zeros((n, len(self.classes), len(self.classes)))
        np.add.at(counts, (workers, said), np.nan_to_num(truth))
        return counts


def confusions(
    counts: np.ndarray, is_model: np.ndarray, priors: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies [workers] and smoothed matrices P(said s | truth t) [workers, s, t]."""
    classes = counts.shape[1]
    right = np.einsum("wtt->w", counts)
    accuracy = (right + priors.right) / (counts.sum((1, 2)) + priors.right + priors.wrong)
    off = 1.0 - np.eye(classes)
    mistakes = counts * off
    structured = np.empty_like(counts)
    for pool in (is_model, ~is_model):
        # Of somebody who guesses nothing is learned about what is easily mistaken.
        weighed = np.einsum("wst,w->st", mistakes[pool], accuracy[pool] ** 2)
        shape = weighed + priors.shape / max(classes - 1, 1) * off
        shape /= shape.sum(0)
        structured[pool] = (1 - accuracy[pool])[:, None, None] * shape
        structured[pool] += accuracy[pool][:, None, None] * np.eye(classes)
    seen = counts.sum(1, keepdims=True)
    return accuracy, (counts + priors.own * structured) / (seen + priors.own)
