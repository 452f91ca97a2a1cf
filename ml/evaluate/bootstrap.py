"""Bootstrap of means over strata (brands), resampling groups of near-duplicates, not images.

Groups of a stratum with the same number of images and the same sum are interchangeable, so it is
enough to draw how many of each kind come: a multinomial draw of a few numbers stands for a draw of
all groups, exactly. Time and memory hang on the strata and resamples, hardly on the images.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from ml.evaluate.intervals import Figure, cases_of, wilson_share

RESAMPLES = 1000
TAILS = (2.5, 97.5)  # per cent: a 95 % interval


@dataclass(frozen=True)
class Design:
    """Which rows are resampled together: [n] keys of their strata and of their groups.

    A group that reaches over two strata counts in each by itself. Strata are in the order of
    `np.unique(strata)`.
    """

    strata: np.ndarray
    groups: np.ndarray

    @cached_property
    def stratum(self) -> np.ndarray:
        """int [n]."""
        return np.unique(self.strata, return_inverse=True)[1]

    @cached_property
    def _groups(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The group of each row [n], images of each group [g], and where each stratum's groups
        begin and end [strata + 1]."""
        names, group = np.unique(self.groups, return_inverse=True)
        keys, place = np.unique(self.stratum * len(names) + group, return_inverse=True)
        bounds = np.searchsorted(keys // len(names), np.arange(self.stratum.max() + 2))
        return place, np.bincount(place), bounds

    def means(self, values: np.ndarray) -> np.ndarray:
        """Mean of each stratum [strata]."""
        return np.bincount(self.stratum, weights=values) / np.bincount(self.stratum)

    def replicates(
        self, values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
    ) -> np.ndarray:
        """Resampled means, float64 [resamples, strata].

        From m groups m − 1 are drawn: with m the variance of a mean would come out (m − 1)/m of
        what it is (Rao & Wu, JASA 83, 1988, section 2), which matters for brands of a few images.
        A stratum of one group does not vary.

        Args:
            values: [n], e.g. 1 for a hit; for two models, the difference of their hits. They are
                few distinct ones, or nothing is gained by counting kinds.
        """
        rng = np.random.default_rng(seed)
        if not len(values):
            return np.zeros((resamples, 0))
        place, images, bounds = self._groups
        table = np.stack([np.bincount(place, weights=values), images], axis=1)
        columns = [_resampled(table[start:end], resamples, rng) for start, end in pairwise(bounds)]
        return np.stack(columns, axis=1)

    def mean(self, values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> Figure:
        """The mean over strata of each stratum's mean, with its percentile interval. n counts
        images, of which there is at least one."""
        drawn = self.replicates(values, resamples=resamples, seed=seed).mean(axis=1)
        low, high = np.percentile(drawn, TAILS)
        return Figure(float(self.means(values).mean()), float(low), float(high), len(values))

    def mean_share(self, hit: np.ndarray) -> Figure:
        """As `mean`, of hits, bool [n]. Where no stratum has both hits and misses there is nothing
        to draw from: Wilson's interval on as many cases as a plain mean of them would need."""
        found = self.mean(hit.astype(float))
        shares = self.means(hit)
        if not np.isin(shares, [0, 1]).all():
            return found
        cases = [cases_of(self.groups[self.stratum == i]) for i in range(len(shares))]
        needed = len(shares) ** 2 / sum(1 / number for number in cases)
        return wilson_share(found.value, needed, n=len(hit))


def _resampled(table: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """[resamples] means of one stratum, of groups [m, 2] with their sums and images."""
    kinds, counts = np.unique(table, axis=0, return_counts=True)
    total = len(table)
    if total == 1:
        return np.full(resamples, kinds[0, 0] / kinds[0, 1])
    drawn = rng.multinomial(total - 1, counts / total, size=resamples) @ kinds
    return np.asarray(drawn[:, 0] / drawn[:, 1])
