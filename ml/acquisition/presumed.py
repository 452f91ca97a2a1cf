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
        self._brands = pool.brands[items]
        self._listed = self._brands != NO_BRAND
        self._asked = np.isin(self._brands, pool.focus) if pool.focus else self._listed
        self._thresholds = pool.thresholds[self._brands].astype(np.float32)
        columns = np.concatenate([pool.scores[items], pool.background[items][:, None]], axis=1)
        # Brands beyond the best few are one column more, which no answer moves.
        rest = np.maximum(1.0 - columns.sum(axis=1, keepdims=True), 0.0)
        with np.errstate(divide="ignore"):
            logs = np.log(np.concatenate([columns, rest], axis=1).astype(np.float32))
        self._logits = np.maximum(logs, FAINT)
        self._count = len(pool.thresholds)

    def probabilities(self) -> np.ndarray:
        """(m, k + 2) of the best brands, of none, and of all other brands."""
        raised = np.exp(self._logits - self._logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))

    def doubts(self) -> np.ndarray:
        """(m,) `near_threshold` of the brand in focus that is the likeliest now."""
        now = np.where(self._asked, self.probabilities()[:, :-2], -1.0)
        rows, best = np.arange(len(now)), now.argmax(axis=1)
        return near_threshold(now[rows, best], self._thresholds[rows, best])

    def presume(self, i: int) -> None:
        """That the `i`th item shows none of the brands."""
        now = self.probabilities()[i]
        errors = np.zeros(self._count, np.float32)
        errors[self._brands[i][self._listed[i]]] = now[:-2][self._listed[i]]
        near = STEP * (self._looks @ self._looks[i])[:, None]
        self._logits[:, :-2] -= near * np.where(self._listed, errors[self._brands], 0.0)
        self._logits[:, -2:-1] += near * (1.0 - now[-2])
