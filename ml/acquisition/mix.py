"""One budget, several strategies: the two random draws first, then each strategy its share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ml.acquisition.precision import allocate_budget, brand_precision, equal_shares
from ml.acquisition.strategies import checked, hard_negatives, margin
from ml.errors import InputError


@dataclass(frozen=True)
class ScoredPool:
    """What is known of the items that may be chosen.

    Attributes:
        scores: (n, brands) probability of each brand.
        background: (n,) probability of no listed brand.
        groups: (n,) near-duplicate group of each item; one of a group is chosen at most.
        thresholds: (brands,) operating points: at or above, an item is flagged for the brand.
        probe_hits, probe_draws: (brands,) earlier probes and how many did show the brand.
        focus: indices of the brands the round is about; empty = all.
    """

    scores: np.ndarray
    background: np.ndarray
    groups: np.ndarray
    thresholds: np.ndarray
    probe_hits: np.ndarray
    probe_draws: np.ndarray
    focus: tuple[int, ...] = field(default=())


@dataclass(frozen=True)
class Choice:
    """One chosen item and why. `propensity` is its chance of being drawn, where the draw was
    random; None where it was ranked."""

    index: int
    strategy: str
    score: float
    rank: int
    focus_brand: int | None
    propensity: float | None


@dataclass(frozen=True)
class Draw:
    """What a strategy chooses from.

    Attributes:
        groups: (n,) group codes 0, 1, …
        free: (n,) false where the item's group was chosen by an earlier strategy.
        room: how many are wanted.
    """

    pool: ScoredPool
    groups: np.ndarray
    free: np.ndarray
    room: int
    rng: np.random.Generator


# index, score, focus brand, propensity
Ranked = Iterator[tuple[int, float, int | None, float | None]]


def select(pool: ScoredPool, *, budget: int, mix: Mapping[str, float], seed: int) -> list[Choice]:
    """Choose at most `budget` items, `mix[strategy]` of it by each strategy; what one strategy
    cannot use goes to the next, and the uncertain ones take the rest.

    The random control is drawn first, from all items, so that it stays a fair sample.

    Raises:
        InputError: a strategy is unknown, a share or the budget is negative, or a score is missing.
    """
    _check(pool, budget, mix)
    rng = np.random.default_rng(seed)
    codes = np.unique(pool.groups, return_inverse=True)[1]
    chosen: list[Choice] = []
    taken: set[int] = set()
    wanted = 0.0
    for name, strategy in STRATEGIES.items():
        wanted += budget * mix.get(name, 0.0)
        room = min(round(wanted), budget) - len(chosen)
        if room > 0:
            free = ~np.isin(codes, list(taken))
            draw = Draw(pool=pool, groups=codes, free=free, room=room, rng=rng)
            chosen += _take(name, strategy(draw), draw, taken)
    return chosen


def _check(pool: ScoredPool, budget: int, mix: Mapping[str, float]) -> None:
    unknown = sorted(set(mix) - set(STRATEGIES))
    if unknown:
        raise InputError(f"unknown strategy {unknown[0]!r}; known: {', '.join(STRATEGIES)}")
    if budget < 0 or any(not share >= 0 for share in mix.values()):
        raise InputError("a budget and its shares cannot be negative")
    checked(pool.scores)
    checked(pool.background, "background")
    checked(pool.thresholds, "thresholds")
    n, brands = pool.scores.shape
    if not (len(pool.background) == len(pool.groups) == n and len(pool.thresholds) == brands):
        raise InputError(f"{n} items of {brands} brands were scored; another column disagrees")


def _take(name: str, ranked: Ranked, draw: Draw, taken: set[int]) -> list[Choice]:
    """The first items whose group is not taken yet, while there is room; `taken` grows."""
    choices: list[Choice] = []
    for index, score, brand, propensity in ranked:
        if len(choices) == draw.room:
            break
        group = int(draw.groups[index])
        if group in taken:
            continue
        taken.add(group)
        choices.append(Choice(int(index), name, float(score), len(choices) + 1, brand, propensity))
    return choices


def random_control(draw: Draw) -> Ranked:
    """Uniform draws of groups, then of an item of each: what chosen labels are compared with."""
    top = draw.pool.scores.max(axis=1, initial=0.0)
    items, chance = _one_per_group(np.flatnonzero(draw.free), draw)
    drawn = min(1.0, draw.room / max(1, len(items)))
    for index, of_group in zip(items, chance, strict=True):
        yield index, top[index], None, drawn * of_group


def probe(draw: Draw) -> Ranked:
    """Uniform draws from each brand's flagged items, as many for each brand as there are: the only
    source of precision estimates, because chosen false alarms would bias them down."""
    flagged = _flagged_brand(draw.pool)
    items, chance = _one_per_group(np.flatnonzero(draw.free & (flagged >= 0)), draw)
    available = np.bincount(flagged[items], minlength=draw.pool.scores.shape[1])
    shares = equal_shares(available, draw.room, draw.rng)
    for brand in np.flatnonzero(shares):
        mine = flagged[items] == brand
        drawn = shares[brand] / available[brand]
        for index, of_group in zip(
            items[mine][: shares[brand]], chance[mine][: shares[brand]], strict=True
        ):
            yield index, draw.pool.scores[index, brand], int(brand), drawn * of_group


def _one_per_group(items: np.ndarray, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """One random item of each group among `items`, in random order, and its chance of being the
    group's one."""
    shuffled = draw.rng.permutation(items)
    _, first, size = np.unique(draw.groups[shuffled], return_index=True, return_counts=True)
    order = draw.rng.permutation(len(first))
    return shuffled[first[order]], 1.0 / size[order]


def by_hard_negatives(draw: Draw) -> Ranked:
    score, brand = hard_negatives(draw.pool.scores, known=_outside_focus(draw.pool))
    for index in np.argsort(-score, kind="stable"):
        yield index, score[index], int(brand[index]), None


def by_low_precision(draw: Draw) -> Ranked:
    """Each needy brand's most confident flags, as many as its share."""
    pool = draw.pool
    flagged = np.where(draw.free, _flagged_brand(pool), -1)
    precision = brand_precision(pool.probe_hits, pool.probe_draws).mean
    counts = np.bincount(flagged[flagged >= 0], minlength=pool.scores.shape[1])
    shares = allocate_budget(precision, counts, draw.room)
    for brand in np.argsort(-shares, kind="stable"):
        items = np.flatnonzero(flagged == brand)
        for index in items[np.argsort(-pool.scores[items, brand], kind="stable")][: shares[brand]]:
            yield index, pool.scores[index, brand], int(brand), None


def by_uncertainty(draw: Draw) -> Ranked:
    pool = draw.pool
    value = margin(np.column_stack([pool.scores, pool.background]))
    top = pool.scores.argmax(axis=1)
    for index in np.argsort(-value, kind="stable"):
        yield index, value[index], int(top[index]), None


def _flagged_brand(pool: ScoredPool) -> np.ndarray:
    """(n,) the item's best brand where its score is over that brand's threshold and the brand in
    focus, else -1."""
    best = pool.scores.argmax(axis=1)
    over = pool.scores[np.arange(len(best)), best] >= pool.thresholds[best]
    return np.where(over & np.isin(best, _focus(pool)), best, -1)


def _focus(pool: ScoredPool) -> tuple[int, ...]:
    return pool.focus or tuple(range(pool.scores.shape[1]))


def _outside_focus(pool: ScoredPool) -> np.ndarray:
    outside = ~np.isin(np.arange(pool.scores.shape[1]), _focus(pool))
    return np.broadcast_to(outside, pool.scores.shape)


STRATEGIES = {
    "random_control": random_control,
    "probe": probe,
    "low_precision": by_low_precision,
    "hard_negatives": by_hard_negatives,
    "uncertain": by_uncertainty,
}
