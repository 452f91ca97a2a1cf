"""One budget, several strategies: the two random draws first, then each strategy its share."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml.acquisition.batch import Batch, Ranking
from ml.acquisition.pool import NO_BRAND, ScoredPool
from ml.acquisition.precision import allocate_budget, brand_precision, equal_shares
from ml.acquisition.strategies import margin
from ml.errors import InputError

DIVERSITY = 0.3


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
    cannot use goes to the next, and the uncertain ones take the rest.

    The random control is drawn first, from all items, so that it stays a fair sample; neither it
    nor the probe is limited or made diverse.

    Args:
        most: (brands,) the most items that are ranked for each brand; None: no limit.
        diversity: see `Batch`.

    Raises:
        InputError: a strategy is unknown, a share or the budget is negative, or a score is missing.
    """
    _check(pool, budget, mix)
    rng = np.random.default_rng(seed)
    groups = _codes(pool.groups)
    batch = Batch(groups, pool.embeddings, diversity=diversity)
    left = None if most is None else np.array(most, int)
    chosen: list[Choice] = []
    # What a strategy leaves goes to the next: each may fill up to the end of its own share.
    shares = np.cumsum([budget * mix.get(name, 0.0) for name in (*RANDOM, *RANKED)])
    ends = dict(zip((*RANDOM, *RANKED), (min(round(end), budget) for end in shares), strict=True))
    for name, strategy in RANDOM.items():
        if (room := ends[name] - len(chosen)) > 0:
            draw = Draw(pool=pool, groups=groups, free=batch.is_free(), room=room, rng=rng)
            chosen += _drawn(name, strategy(draw), batch, room)
    _expect(pool, batch, budget, mix)
    for name, rank in RANKED.items():
        if (room := ends[name] - len(chosen)) > 0:
            chosen += _ranked(name, rank(pool, batch.is_free(), room), batch, room, left)
    return chosen


def _expect(pool: ScoredPool, batch: Batch, budget: int, mix: Mapping[str, float]) -> None:
    """Have the embeddings ready that the ranked strategies will look at."""
    rooms = {name: round(budget * mix.get(name, 0.0)) for name in RANKED}
    free = batch.is_free()
    batch.expect([(RANKED[name](pool, free, room), room) for name, room in rooms.items() if room])


def _codes(groups: np.ndarray) -> np.ndarray:
    """(n,) a number for each group: 0, 1, … By hash, where sorting five million names would take
    longer than all the rest."""
    return pa.array(groups).dictionary_encode().indices.to_numpy()


def _check(pool: ScoredPool, budget: int, mix: Mapping[str, float]) -> None:
    known = (*RANDOM, *RANKED)
    unknown = sorted(set(mix) - set(known))
    if unknown:
        raise InputError(f"unknown strategy {unknown[0]!r}; known: {', '.join(known)}")
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
    limits = [limit for limit in (ranking.most, left) if limit is not None]
    limit = np.minimum.reduce(limits) if limits else None
    items = batch.take(Ranking(ranking.values, ranking.brands, limit), room)
    if left is not None:
        np.subtract.at(left, ranking.brands[items], 1)
    return [
        Choice(item, name, float(ranking.values[item]), rank + 1, int(ranking.brands[item]), None)
        for rank, item in enumerate(items)
    ]


def random_control(draw: Draw) -> Drawn:
    """Uniform draws of groups, then of an item of each: what chosen labels are compared with."""
    items, chance = _one_per_group(np.flatnonzero(draw.free), draw)
    drawn = min(1.0, draw.room / max(1, len(items)))
    for index, of_group in zip(items[: draw.room], chance[: draw.room], strict=True):
        yield index, draw.pool.best[index], None, drawn * of_group


def probe(draw: Draw) -> Drawn:
    """Uniform draws from each brand's flagged items, as many for each brand as there are: the only
    source of precision estimates, because chosen false alarms would bias them down."""
    flagged = _flagged_brand(draw.pool)
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
    groups = draw.groups[shuffled]
    one = np.empty(draw.groups.max(initial=-1) + 1, shuffled.dtype)
    one[groups] = shuffled  # the last of a group to be written is a random one
    sizes = np.bincount(groups, minlength=len(one))
    order = draw.rng.permutation(np.flatnonzero(sizes))
    return one[order], 1.0 / sizes[order]


def by_hard_negatives(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The highest score of a brand in focus: what the model is surest of, for a person to refute
    (the article's section 3.1)."""
    if not pool.focus:
        return Ranking(_where(pool.best_brand != NO_BRAND, pool.best), pool.best_brand)
    asked = np.isin(pool.brands, pool.focus)
    first = asked.argmax(axis=1)
    rows = np.arange(len(pool))
    return Ranking(_where(asked[rows, first], pool.scores[rows, first]), pool.brands[rows, first])


def by_low_precision(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """Each needy brand's most confident flags, as many as its share."""
    flagged = np.where(free, _flagged_brand(pool), NO_BRAND)
    precision = brand_precision(pool.probe_hits, pool.probe_draws).mean
    counts = np.bincount(flagged[flagged != NO_BRAND], minlength=len(pool.thresholds))
    shares = allocate_budget(precision, counts, room)
    return Ranking(_where(flagged != NO_BRAND, pool.best), flagged, shares)


def by_uncertainty(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The smallest margin between the likeliest two of the brands and none."""
    if not pool.scores.shape[1]:
        return Ranking(np.full(len(pool), -np.inf), pool.best_brand)
    value = margin(np.column_stack([pool.background, pool.scores[:, :2]]))
    return Ranking(_where(pool.best_brand != NO_BRAND, value), pool.best_brand)


def _flagged_brand(pool: ScoredPool) -> np.ndarray:
    """(n,) the item's best brand where its score is over that brand's threshold and the brand in
    focus, else NO_BRAND."""
    best = pool.best_brand.astype(int)
    over = (best != NO_BRAND) & (pool.best >= pool.thresholds[best])
    if pool.focus:
        over &= np.isin(best, pool.focus)
    return np.where(over, best, NO_BRAND)


def _where(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(mask, values, -np.inf)


RANDOM: dict[str, Callable[[Draw], Drawn]] = {"random_control": random_control, "probe": probe}
RANKED: dict[str, Callable[[ScoredPool, np.ndarray, int], Ranking]] = {
    "low_precision": by_low_precision,
    "hard_negatives": by_hard_negatives,
    "uncertain": by_uncertainty,
}
