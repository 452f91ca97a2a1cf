"""Recall and precision by brand of one head against another's, over draws of labels and of the test
rows, as means with intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.forecast.ground import Ground, Measured

TAILS = (5.0, 95.0)  # per cent: a 90 % interval
LEAST_FLAGS = 5  # fewer say nothing of a brand's precision


class Changes:
    """What `add` was given, row by row of a resampled test set."""

    def __init__(self, ground: Ground, *, seed: int) -> None:
        self._ground = ground
        self._rng = np.random.default_rng([seed, 1])
        self._before: list[np.ndarray] = []  # each (2, brands): recall and precision
        self._after: list[np.ndarray] = []

    def add(self, before: Measured, after: Measured) -> None:
        """One draw: both heads on the same resampled closed and open images, whole groups."""
        closed = self._drawn(self._ground.closed.group)
        opened = self._drawn(self._ground.opened.group)
        self._before.append(self._figures(before, closed, opened))
        self._after.append(self._figures(after, closed, opened))

    def report(self) -> dict[str, Any]:
        """`{"recall": figures, "precision": figures, "brands": {key: {"recall", "precision"}}}`;
        figures are `{"before", "after", "change", "low", "high"}`, or None where a brand has no
        closed images or too few flags. The overall ones are means over the brands of which both
        heads tell something, in each draw: else brands that one head flags more would shift it."""
        before, after = np.stack(self._before), np.stack(self._after)
        both = ~np.isnan(before) & ~np.isnan(after)
        names = ("recall", "precision")
        report: dict[str, Any] = {
            name: _figures(_mean(before[:, i], both[:, i]), _mean(after[:, i], both[:, i]))
            for i, name in enumerate(names)
        }
        report["brands"] = {
            key: {
                name: _figures(before[:, i, brand], after[:, i, brand])
                for i, name in enumerate(names)
            }
            for brand, key in enumerate(self._ground.brands)
        }
        return report

    def _drawn(self, groups: np.ndarray) -> np.ndarray:
        """(n,) how often each row comes when as many groups are drawn as there are."""
        names, group = np.unique(groups.astype(str), return_inverse=True)
        times = np.bincount(self._rng.integers(len(names), size=len(names)), minlength=len(names))
        return np.asarray(times[group])

    def _figures(self, found: Measured, closed: np.ndarray, opened: np.ndarray) -> np.ndarray:
        count = len(self._ground.brands)
        shown = self._ground.closed.labelled.answers
        recall = _share(found.hit * closed, closed, shown, count)
        flagged = found.flag >= 0
        right = found.flag == self._ground.opened.labelled.answers
        brand = np.where(flagged, found.flag, count)
        precision = _share(
            (right & flagged) * opened, flagged * opened, brand, count, least=LEAST_FLAGS
        )
        return np.stack([recall, precision])


def _share(
    part: np.ndarray, whole: np.ndarray, brand: np.ndarray, count: int, *, least: int = 1
) -> np.ndarray:
    """(count,) of each brand's rows, weighted; NaN where they weigh less than `least`."""
    sums = [np.bincount(brand, weights=w, minlength=count + 1)[:count] for w in (part, whole)]
    return np.where(sums[1] >= least, sums[0] / np.maximum(sums[1], 1), np.nan)


def _mean(figures: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(m,) over each row's known ones; NaN where there is none."""
    counts = known.sum(axis=1)
    sums = np.where(known, figures, 0.0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def _figures(before: np.ndarray, after: np.ndarray) -> dict[str, float] | None:
    """Over draws (m,); a draw in which one of them is not known is left out, and nothing is said
    where that is more than half of them."""
    known = ~np.isnan(before) & ~np.isnan(after)
    if 2 * known.sum() < len(known):
        return None
    before, after = before[known], after[known]
    low, high = np.percentile(after - before, TAILS)
    values = (before.mean(), after.mean(), (after - before).mean(), low, high)
    names: Sequence[str] = ("before", "after", "change", "low", "high")
    return {name: round(float(value), 4) for name, value in zip(names, values, strict=True)}
