"""From a ranking to a batch: best first, one of a group, a limit for each brand, and no two alike.

The next item is the one that is both high in the ranking and unlike what was chosen before it:
maximal marginal relevance (Carbonell and Goldstein 1998, "The use of MMR, diversity-based
reranking"). Where a ranking can say how the answers of a batch would change it (`presumed`), it is
the one that is the highest after those that were chosen before it. Only the head of the ranking is
looked at, so five million items cost what a partition of them costs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ml.acquisition.pool import Embeddings
from ml.acquisition.presumed import Presumed

DEPTH = 8  # items looked at, for one that is wanted
MOST_AT_ONCE = 100_000
ALIKE = 0.98  # cosine; above it two items are near-duplicates, whatever their groups say


@dataclass(frozen=True)
class Ranking:
    """
    Attributes:
        values: (n,) higher is asked sooner; −inf: never.
        brands: (n,) the brand each item is asked for.
        most: (brands,) the most items of each brand; None: no limit.
        presumed: of items (m,) and their embeddings (m, d), what they are worth as the batch grows.
    """

    values: np.ndarray
    brands: np.ndarray
    most: np.ndarray | None = None
    presumed: Callable[[np.ndarray, np.ndarray], Presumed] | None = None


class Batch:
    """What has been chosen so far, by all strategies."""

    def __init__(
        self, groups: np.ndarray, embeddings: Embeddings | None, *, diversity: float
    ) -> None:
        """
        Args:
            groups: (n,) code of each item's near-duplicate group: 0, 1, …
            diversity: weight of being unlike the rest, against the place in the ranking; in [0, 1).
        """
        self._groups, self._embeddings = groups, embeddings
        self._diversity = diversity
        self._taken = np.zeros(groups.max(initial=-1) + 1, bool)
        self._items: list[int] = []
        self._looks: list[np.ndarray] = []  # of the first of them, as far as they were needed

    def is_free(self) -> np.ndarray:
        """(n,) bool: nothing of the item's group is chosen."""
        return ~self._taken[self._groups]

    def add(self, index: int) -> bool:
        """Choose an item; False where one of its group is chosen already."""
        if self._taken[self._groups[index]]:
            return False
        self._taken[self._groups[index]] = True
        self._items.append(index)
        return True

    def expect(self, rankings: Sequence[tuple[Ranking, int]]) -> None:
        """Ask at once for the embeddings that taking so many items of each ranking will ask for:
        where they are read from a disk, that reads all of it once instead of once a ranking."""
        if self._embeddings is None:
            return
        # What is chosen meanwhile makes room for as many others.
        spare = 2 * sum(room for _, room in rankings) + 2 * len(self._items)
        heads = [
            _head(ranking, ranking.values, ranking.most, DEPTH * room + spare)
            for ranking, room in rankings
        ]
        wanted = np.unique(np.concatenate([np.array(self._items, int), *heads]))
        if len(wanted):
            self._embeddings(wanted)

    def take(self, ranking: Ranking, room: int) -> list[int]:
        """Choose up to `room` items of a ranking, in the order in which they were chosen."""
        left = None if ranking.most is None else ranking.most.copy()
        values = np.where(self.is_free(), ranking.values, -np.inf)
        found: list[int] = []
        size = DEPTH * room
        while len(found) < room:
            items = _head(ranking, values, left, min(size, MOST_AT_ONCE))
            if not len(items):
                break
            found += self._choose(items, ranking, room - len(found), left)
            values[items] = -np.inf
            values[~self.is_free()] = -np.inf  # what else is of the chosen ones' groups
            size *= 2
        return found

    def _choose(
        self, items: np.ndarray, ranking: Ranking, room: int, left: np.ndarray | None
    ) -> list[int]:
        """The best of `items`, which are best first; `left` is counted down."""
        brands = ranking.brands[items]
        looks = None if self._embeddings is None else self._embeddings(items).astype(np.float32)
        nearest = self._nearest(looks, len(items))
        groups = self._groups[items]
        place = 1.0 - np.arange(len(items)) / max(1, len(items))
        presumed = None
        if ranking.presumed is not None and looks is not None:
            presumed = ranking.presumed(items, looks)
        open_ = nearest <= ALIKE
        if left is not None:
            open_ &= left[brands] > 0
        found: list[int] = []
        while len(found) < room and open_.any():
            if presumed is None:
                worth = (1 - self._diversity) * place - self._diversity * np.maximum(nearest, 0.0)
            else:
                worth = presumed.doubts()
            i = int(np.where(open_, worth, -np.inf).argmax())
            found.append(int(items[i]))
            self._items.append(int(items[i]))
            self._taken[groups[i]] = True
            open_ &= groups != groups[i]
            if left is not None:
                left[brands[i]] -= 1
                if left[brands[i]] <= 0:
                    open_ &= brands != brands[i]
            if looks is not None:
                self._looks.append(looks[i])
                if presumed is not None:
                    presumed.presume(i)
                nearest = np.maximum(nearest, looks @ looks[i])
                open_ &= nearest <= ALIKE
        return found

    def _nearest(self, looks: np.ndarray | None, n: int) -> np.ndarray:
        """(n,) each one's largest cosine with what is chosen; 0 where nothing is."""
        if looks is None or self._embeddings is None or not self._items:
            return np.zeros(n, np.float32)
        # All at once: a shard is read whole for one embedding.
        if new := self._items[len(self._looks) :]:
            self._looks += list(self._embeddings(np.array(new)))
        return np.asarray((looks @ np.stack(self._looks).T).max(axis=1))


def _head(ranking: Ranking, values: np.ndarray, left: np.ndarray | None, size: int) -> np.ndarray:
    """The `size` best items with finite values, best first (of equals the earlier one), and of a
    brand no more than `DEPTH` for one that is left: else brands that have no more room would fill
    the head, and the rest of it would have to be sought deeper and deeper."""
    open_ = values > -np.inf
    if left is not None:
        open_ &= (left > 0)[ranking.brands]
    rest = np.flatnonzero(open_)
    of_rest, looked_at = values[rest], size
    while True:
        items = rest
        if looked_at < len(rest):
            limit = -np.partition(-of_rest, looked_at - 1)[looked_at - 1]
            # All that equal the last are sorted with it, so that ties never depend on the size.
            items = rest[of_rest >= limit]
        items = items[np.argsort(-values[items], kind="stable")]
        if left is not None:
            brands = ranking.brands[items]
            items = items[_place_in_brand(brands) < DEPTH * left[brands]]
        if len(items) >= size or looked_at >= len(rest):
            return items[:size]
        looked_at *= 4


def _place_in_brand(brands: np.ndarray) -> np.ndarray:
    """(n,) how many of the same brand come before each."""
    order = np.argsort(brands, kind="stable")
    counts = np.unique(brands, return_counts=True)[1]
    place = np.empty(len(brands), int)
    place[order] = np.arange(len(brands)) - np.repeat(np.cumsum(counts) - counts, counts)
    return place
