"""One threshold a brand: the highest mean recall that a budget of flags buys.

An image is flagged for the brand with its highest score alone, so what the brands' thresholds cost
and bring adds up, and the choice is a multiple-choice knapsack: one threshold a brand, the sum of
recalls as high as the sum of flags allows. Its Lagrangian falls apart into one choice a brand
(Sinha and Zoltners 1979, "The multiple-choice knapsack problem"), and misses the best choice by at
most one brand's step.

A brand with ten positives and three flags would have its threshold wherever those happen to lie.
Both sides are therefore drawn towards what all brands have at the same score, the more so the less
a brand has itself: a brand that nothing is known of gets what is best for the average one.
"""

from dataclasses import dataclass

import numpy as np

POINTS = 400  # thresholds to choose from, evenly spread over the ranks of the scores seen


@dataclass(frozen=True)
class Brands:
    """What the thresholds are chosen on.

    Attributes:
        scores: [n, k] of rows that show a brand of the list.
        brands: [n] its column.
        open_scores: [m, k] of a random sample of what is online.
    """

    scores: np.ndarray
    brands: np.ndarray
    open_scores: np.ndarray


def brand_thresholds(
    data: Brands, *, flag_ratio: float, positives: float = 10.0, flags: float = 3.0
) -> np.ndarray:
    """[k] thresholds; a row is flagged when its highest score is above that brand's.

    Args:
        flag_ratio: share of the open rows that may be flagged, over all brands together.
        positives: how many positives what all brands reach weighs as, beside a brand's own.
        flags: the same for the flags: how many of them, at the score where the average brand has
            as many.

    Raises:
        ValueError: a score is NaN, or there is nothing to choose on.
    """
    if not len(data.scores) or not len(data.open_scores):
        raise ValueError("thresholds need rows with a brand, and open rows")
    if np.isnan(data.scores).any() or np.isnan(data.open_scores).any():
        raise ValueError("a score is NaN")
    grid = _grid(data)
    recall = _recall(data, grid, weight=positives)
    counts, cost = _flags(data, grid, weight=flags)
    budget = flag_ratio * len(data.open_scores)
    chosen = _choose(recall, cost, counts, budget)
    return grid[chosen]


def _grid(data: Brands) -> np.ndarray:
    """[g] ascending, so that the last flags nothing that was seen."""
    seen = np.concatenate([data.scores.max(axis=1), data.open_scores.max(axis=1)])
    # The open rows' upper end decides, and is a small part of all ranks.
    upper = np.sort(data.open_scores.max(axis=1))[-max(1, len(data.open_scores) // 20) :]
    ranks = np.linspace(0, 1, POINTS)
    points = np.concatenate([np.quantile(seen, ranks), np.quantile(upper, ranks)])
    return np.unique(np.append(points, max(seen.max(), 1.0)))


def _recall(data: Brands, grid: np.ndarray, *, weight: float) -> np.ndarray:
    """[k, g]: of each brand's rows the share found at each threshold, drawn towards all rows'."""
    brands = data.scores.shape[1]
    top = data.scores.argmax(axis=1)
    found = np.where(top == data.brands, data.scores.max(axis=1), -np.inf)
    pooled = _above(found, grid) / len(found)
    own = np.array([_above(found[data.brands == brand], grid) for brand in range(brands)])
    n = np.bincount(data.brands, minlength=brands)[:, None]
    return (own + weight * pooled) / (n + weight)


def _flags(data: Brands, grid: np.ndarray, *, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """[k, g] twice: the open rows flagged for each brand at each threshold; and what is to be
    expected, drawn towards the average brand's."""
    brands = data.open_scores.shape[1]
    top, best = data.open_scores.argmax(axis=1), data.open_scores.max(axis=1)
    counts = np.array([_above(best[top == brand], grid) for brand in range(brands)])
    average = counts.mean(axis=0)
    trust = average / np.maximum(average + weight, 1e-9)
    return counts, trust * counts + (1 - trust) * average


def _above(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """[g]: how many values are above each point."""
    return len(values) - np.searchsorted(np.sort(values), grid, side="right")


def _choose(recall: np.ndarray, cost: np.ndarray, counts: np.ndarray, budget: float) -> np.ndarray:
    """[k] places on the grid: the cheapest price of a flag at which the budget holds, found by
    halving; both what was counted and what is expected must keep to it."""

    def at(price: float) -> np.ndarray:
        worth = recall - price * cost
        # Of equal worth the highest threshold.
        return worth.shape[1] - 1 - worth[:, ::-1].argmax(axis=1)

    def keeps(chosen: np.ndarray) -> bool:
        rows = np.arange(len(chosen))
        return max(cost[rows, chosen].sum(), counts[rows, chosen].sum()) <= budget

    if keeps(at(0.0)):
        return at(0.0)
    low, high = 0.0, 1.0
    while not keeps(at(high)):
        low, high = high, 4 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if keeps(at(middle)) else (middle, high)
    return _spend_the_rest(at(high), recall, cost, counts, budget)


def _spend_the_rest(
    chosen: np.ndarray, recall: np.ndarray, cost: np.ndarray, counts: np.ndarray, budget: float
) -> np.ndarray:
    """The steps that one price for all left unpaid, the best bargain first."""
    chosen = chosen.copy()
    rows = np.arange(len(chosen))
    while True:
        spent = np.array([cost[rows, chosen].sum(), counts[rows, chosen].sum()])
        gain = recall - recall[rows, chosen][:, None]
        more = np.stack(
            [cost - cost[rows, chosen][:, None], counts - counts[rows, chosen][:, None]]
        )
        fits = (spent[:, None, None] + more <= budget).all(axis=0) & (gain > 1e-12)
        if not fits.any():
            return chosen
        bargain = np.where(fits, gain / np.maximum(more.max(axis=0), 1e-9), -np.inf)
        brand, place = np.unravel_index(bargain.argmax(), bargain.shape)
        chosen[brand] = place
