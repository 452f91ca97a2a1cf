"""What a model would say if the items chosen so far turned out to show none of the brands: a batch
is chosen as if its answers came one by one.

After each choice the likeliest answer, none, is taken for given, and the model's head is moved by
one step of gradient descent on it: a score falls where an item is like one that is chosen, the more
the surer the model was of that one. What remains doubtful then is what no answer of the batch will
settle; and where most items show nothing, positives float up. (Ginsbourger, Le Riche and Carraro
2010, "Kriging is well-suited to parallelize optimization", the constant liar; no head is learned.)
"""

import numpy as np

from ml.acquisition.pool import NO_BRAND, ScoredPool
from ml.acquisition.strategies import near_threshold

STEP = 0.5  # of the descent, for embeddings of length one (docs/benchmarks.md)
FAINT = -30.0  # logarithm of a probability of nothing


class Presumed:
    """Some items of a pool, and what is presumed of them."""

    def __init__(self, pool: ScoredPool, items: np.ndarray, looks: np.ndarray) -> None:
        """
        Args:
            items: (m,)
            looks: (m, d) their embeddings, L2-normalised.
        """
        self._looks = looks
        # Columns as rows: sums over a few brands of many items are taken along the items.
        self._brands = np.ascontiguousarray(pool.brands[items].T)
        self._listed = self._brands != NO_BRAND
        self._asked = np.isin(self._brands, pool.focus) if pool.focus else self._listed
        self._thresholds = pool.thresholds[self._brands].astype(np.float32)
        columns = np.concatenate([pool.scores[items].T, pool.background[items][None]])
        # Brands beyond the best few are one column more, which no answer moves.
        rest = np.maximum(1.0 - columns.sum(axis=0, keepdims=True), 0.0)
        with np.errstate(divide="ignore"):
            logs = np.log(np.concatenate([columns, rest]).astype(np.float32))
        self._logits = np.maximum(logs, FAINT)
        self._count = len(pool.thresholds)

    def probabilities(self) -> np.ndarray:
        """(k + 2, m) of the best brands, of none, and of all other brands."""
        raised = np.exp(self._logits - self._logits.max(axis=0))
        return np.asarray(raised / raised.sum(axis=0))

    def doubts(self) -> np.ndarray:
        """(m,) `near_threshold` of the brand in focus that is the likeliest now."""
        now = np.where(self._asked, self.probabilities()[:-2], -1.0)
        best = now.argmax(axis=0), np.arange(now.shape[1])
        return near_threshold(now[best], self._thresholds[best])

    def presume(self, i: int) -> None:
        """That the `i`th item shows none of the brands."""
        now = self._logits[:, i]
        now = np.exp(now - now.max())
        now /= now.sum()
        errors = np.zeros(self._count, np.float32)
        listed = self._listed[:, i]
        errors[self._brands[listed, i]] = now[:-2][listed]
        near = STEP * (self._looks @ self._looks[i])
        self._logits[:-2] -= near * np.where(self._listed, errors[self._brands], 0.0)
        self._logits[-2] += near * (1.0 - now[-2])
