"""One budget, several strategies: the two random draws first, then each strategy its share."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ml.acquisition.batch import Batch, Ranking
from ml.acquisition.pool import NO_BRAND, ScoredPool
from ml.acquisition.precision import equal_shares
from ml.acquisition.rankings import RANKED, flagged_brand
from ml.errors import InputError

# Of what a strategy ranks high (`batch.DEPTH` for one that is wanted), spread before sure: batches
# of the very highest are much of a kind.
DIVERSITY = 0.8
# What is doubtful at the operating points; the rest is for what rounds have to know. No other mix
# was better beyond the noise (docs/benchmarks.md, "Does choosing pay").
DEFAULT_MIX = {
    "hard_negatives": 0.05,
    "uncertain": 0.75,
    "low_precision": 0.05,
    "random_control": 0.05,
    "probe": 0.10,
}
LAST = "uncertain"  # asked for what the others leave, whether or not it has a share


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
    """What a random strategy draws from.

    Attributes:
        free: (n,) false where the item's group was chosen by an earlier strategy.
        room: how many are wanted.
    """

    pool: ScoredPool
    free: np.ndarray
    room: int
    rng: np.random.Generator


# index, score, focus brand, propensity
Drawn = Iterator[tuple[int, float, int | None, float]]


def select(
    pool: ScoredPool,
    *,
    budget: int,
    mix: Mapping[str, float],
    seed: int,
    most: np.ndarray | None = None,
    diversity: float = DIVERSITY,
) -> list[Choice]:
    """Choose at most `budget` items, `mix[strategy]` of it by each strategy; what one strategy
    cannot use goes to the next that has a share, and the uncertain ones take the rest.

    The random control is drawn first, from all items, so that it stays a fair sample; neither it
    nor the probe is limited or made diverse.

    Args:
        most: (brands,) the most items that are ranked for each brand; None: no limit.
        diversity: see `Batch`; what presumes answers is diverse without it.

    Raises:
        InputError: a strategy is unknown, a share or the budget is negative, or a score is missing.
    """
    _check(pool, budget, mix)
    rng = np.random.default_rng(seed)
    batch = Batch(pool.groups, pool.embeddings, diversity=diversity)
    left = None if most is None else np.array(most, int)
    chosen: list[Choice] = []
    # What a strategy leaves goes to the next: each may fill up to the end of its own share.
    names = [name for name in STRATEGIES if mix.get(name) or name == LAST]
    shares = np.cumsum([budget * mix.get(name, 0.0) for name in names])
    ends = dict(zip(names, (min(round(end), budget) for end in shares), strict=True))
    for name, strategy in RANDOM.items():
        if (room := ends.get(name, 0) - len(chosen)) > 0:
            draw = Draw(pool=pool, free=batch.is_free(), room=room, rng=rng)
            chosen += _drawn(name, strategy(draw), batch, room)
    _expect(pool, batch, budget, mix, left)
    for name, rank in RANKED.items():
        if (room := ends.get(name, 0) - len(chosen)) > 0:
            chosen += _ranked(name, rank(pool, batch.is_free(), room), batch, room, left)
    return chosen


def _expect(
    pool: ScoredPool, batch: Batch, budget: int, mix: Mapping[str, float], left: np.ndarray | None
) -> None:
    """Have the embeddings ready that the ranked strategies will look at."""
    rooms = {name: round(budget * mix.get(name, 0.0)) for name in RANKED}
    free = batch.is_free()
    batch.expect(
        [
            (_limited(RANKED[name](pool, free, room), left), room)
            for name, room in rooms.items()
            if room
        ]
    )


def _check(pool: ScoredPool, budget: int, mix: Mapping[str, float]) -> None:
    if unknown := sorted(set(mix) - set(STRATEGIES)):
        raise InputError(f"unknown strategy {unknown[0]!r}; known: {', '.join(STRATEGIES)}")
    if budget < 0 or any(not share >= 0 for share in mix.values()):
        raise InputError("a budget and its shares cannot be negative")
    pool.check()


def _drawn(name: str, drawn: Drawn, batch: Batch, room: int) -> list[Choice]:
    choices: list[Choice] = []
    for index, score, brand, propensity in drawn:
        if len(choices) == room:
            break
        if batch.add(int(index)):
            rank = len(choices) + 1
            choices.append(Choice(int(index), name, float(score), rank, brand, propensity))
    return choices


def _ranked(
    name: str, ranking: Ranking, batch: Batch, room: int, left: np.ndarray | None
) -> list[Choice]:
    """`left`, what may still be ranked for each brand, is counted down."""
    items = batch.take(_limited(ranking, left), room)
    if left is not None:
        np.subtract.at(left, ranking.brands[items], 1)
    return [
        Choice(item, name, float(ranking.values[item]), rank + 1, int(ranking.brands[item]), None)
        for rank, item in enumerate(items)
    ]


def _limited(ranking: Ranking, left: np.ndarray | None) -> Ranking:
    limits = [limit for limit in (ranking.most, left) if limit is not None]
    return replace(ranking, most=np.minimum.reduce(limits) if limits else None)


def random_control(draw: Draw) -> Drawn:
    """Uniform draws of groups, then of an item of each: what chosen labels are compared with."""
    free = np.flatnonzero(draw.free)
    groups = np.flatnonzero(np.bincount(draw.pool.groups[free]))
    # The groups first: of millions of items only those of the few drawn need to be shuffled.
    drawn = np.zeros(len(draw.pool) + 1, bool)
    drawn[draw.rng.choice(groups, min(draw.room, len(groups)), replace=False)] = True
    items, chance = _one_per_group(free[drawn[draw.pool.groups[free]]], draw)
    of_all = len(items) / max(1, len(groups))
    for index, of_group in zip(items, chance, strict=True):
        yield index, draw.pool.best[index], None, of_all * of_group


def probe(draw: Draw) -> Drawn:
    """Uniform draws from each brand's flagged items, as many for each brand as there are: the only
    source of precision estimates, because chosen false alarms would bias them down."""
    flagged = flagged_brand(draw.pool)
    items, chance = _one_per_group(np.flatnonzero(draw.free & (flagged != NO_BRAND)), draw)
    available = np.bincount(flagged[items], minlength=len(draw.pool.thresholds))
    shares = equal_shares(available, draw.room, draw.rng)
    for brand in np.flatnonzero(shares):
        mine = flagged[items] == brand
        drawn = shares[brand] / available[brand]
        for index, of_group in zip(
            items[mine][: shares[brand]], chance[mine][: shares[brand]], strict=True
        ):
            yield index, draw.pool.best[index], int(brand), drawn * of_group


def _one_per_group(items: np.ndarray, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """One random item of each group among `items`, in random order, and its chance of being the
    group's one."""
    shuffled = draw.rng.permutation(items)
    groups = draw.pool.groups[shuffled]
    one = np.empty(groups.max(initial=-1) + 1, shuffled.dtype)
    one[groups] = shuffled  # the last of a group to be written is a random one
    sizes = np.bincount(groups, minlength=len(one))
    order = draw.rng.permutation(np.flatnonzero(sizes))
    return one[order], 1.0 / sizes[order]


RANDOM: dict[str, Callable[[Draw], Drawn]] = {"random_control": random_control, "probe": probe}
STRATEGIES = (*RANDOM, *RANKED)
