"""Rankings of a pool: each gives every item a value, higher meaning "ask sooner", and the brand it
is asked for. Items of which a ranking can say nothing have −inf: it never asks them."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ml.acquisition.batch import DEPTH, Ranking
from ml.acquisition.pool import NO_BRAND, ScoredPool, TopScores
from ml.acquisition.precision import allocate_budget, brand_precision
from ml.acquisition.presumed import Presumed
from ml.acquisition.strategies import entropy, margin, near_threshold

ROWS_AT_ONCE = 200_000
SAMPLED = 20_000  # items that are clustered
NEIGHBOURS = 20  # TypiClust's own
LOOKED = 500  # items of each rare brand, at least, whose looks are compared


def by_hard_negatives(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The highest score of a brand in focus: what the model is surest of, for a person to refute
    (the article's section 3.1)."""
    scores, brands = _likeliest(pool)
    return Ranking(_where(brands != NO_BRAND, scores), brands)


def by_low_precision(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """Each needy brand's most confident flags, as many as its share."""
    flagged = np.where(free, flagged_brand(pool), NO_BRAND)
    precision = brand_precision(pool.probe_hits, pool.probe_draws).mean
    counts = np.bincount(flagged[flagged != NO_BRAND], minlength=len(pool.thresholds))
    shares = allocate_budget(precision, counts, room)
    return Ranking(_where(flagged != NO_BRAND, pool.best), flagged, shares)


def by_uncertainty(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The likeliest brand in focus nearest to its operating point, flagged or not: where one half
    is far from what flags an item, a small margin is no doubt. In the order that results if each
    answer is presumed before the next is asked."""
    scores, brands = _likeliest(pool)
    some = np.flatnonzero(brands != NO_BRAND)
    values = np.full(len(pool), -np.inf, np.float32)
    values[some] = near_threshold(scores[some], pool.thresholds[brands[some]])
    return Ranking(values, brands, presumed=partial(Presumed, pool))


def by_margin(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The smallest margin between the two likeliest answers, "none" being one."""
    return _by_doubt(pool, lambda named, rest: margin(named))


def by_entropy(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The highest entropy of the answers; brands beyond the best few are one answer."""
    return _by_doubt(pool, lambda named, rest: entropy(np.column_stack([named, rest])))


def by_threshold(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The flags and the near misses closest to each brand's operating point, as many of the ones as
    of the others and as many for each brand: counted in ranks and not in scores, so that a rare
    brand's few flags weigh as much as a common one's many (after Nuggehalli et al. 2023, "DIRECT:
    deep active learning under imbalance and label noise")."""
    n, brands = len(pool), len(pool.thresholds)
    values = np.full(n, -np.inf, np.float32)
    if not pool.scores.shape[1]:
        return Ranking(values, pool.best_brand)
    gaps = pool.scores - pool.thresholds.astype(np.float32)[pool.brands]
    gaps[~_asked(pool)] = np.inf
    column = np.abs(gaps).argmin(axis=1)
    rows = np.arange(n)
    gap, brand = gaps[rows, column], pool.brands[rows, column]
    usable = np.flatnonzero(free & np.isfinite(gap))
    # Sorted by brand and side, so that each is one stretch.
    stretch = brand[usable].astype(np.int32) * 2 + (gap[usable] >= 0)
    order = usable[np.argsort(stretch, kind="stable")]
    ends = np.cumsum(np.bincount(stretch, minlength=2 * brands))
    each = -(-room // max(1, np.unique(brand[usable]).size))
    for mine in np.split(order, ends[:-1]):
        near = _largest(-np.abs(gap[mine]), DEPTH * each)
        values[mine[near]] = -np.arange(len(near))
    return Ranking(values, brand, np.full(brands, each))


def by_disagreement(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The largest difference between what the classifier and another model give one brand (query
    by committee, Seung et al. 1992). Items another model did not look at are judged by the rest;
    with no other model nothing is ranked."""
    values, brand = np.full(len(pool), -np.inf, np.float32), pool.best_brand.copy()
    one = TopScores(pool.brands, pool.scores)
    for other in pool.others.values():
        for start in range(0, len(pool), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            gap, of = largest_difference(one.part(part), other.part(part))
            larger = gap > values[part]
            values[part][larger], brand[part][larger] = gap[larger], of[larger]
    if pool.focus:
        values[~np.isin(brand, pool.focus)] = -np.inf
    return Ranking(values, brand)


def by_neighbours(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """What looks most like an image known to show a rare brand, among the items of which the model
    thinks of that brand at all (after SEALS, Coleman et al. 2020). The fewer images of a brand are
    known, the more of its neighbours are asked."""
    values, brand = np.full(len(pool), -np.inf, np.float32), pool.best_brand.copy()
    if pool.known is None or pool.embeddings is None or not len(pool.known.brands):
        return Ranking(values, brand)
    counts = np.bincount(pool.known.brands, minlength=len(pool.thresholds))
    weight = np.divide(1.0, counts, out=np.zeros(len(counts)), where=counts > 0)
    if pool.focus:
        weight[np.setdiff1d(np.arange(len(counts)), pool.focus)] = 0.0
    most = np.ceil(room * weight / max(weight.sum(), 1e-12)).astype(int)
    items, of = _most_likely(pool, free, np.where(most > 0, np.maximum(LOOKED, DEPTH * most), 0))
    looks = pool.embeddings(items)
    near = np.full(len(items), -np.inf, np.float32)
    for b in np.unique(of):
        mine = of == b
        near[mine] = (looks[mine] @ pool.known.looks[pool.known.brands == b].T).max(axis=1)
    order = np.argsort(near, kind="stable")  # written last, the nearest stays
    values[items[order]], brand[items[order]] = near[order], of[order]
    return Ranking(values, brand, most)


def by_typicality(pool: ScoredPool, free: np.ndarray, room: int) -> Ranking:
    """The most typical item of each cluster in which nothing is known, large clusters first, then
    the second of each: where nothing is labelled yet, the usual teaches more than the doubtful
    (Hacohen et al. 2022, "Active learning on a budget: opposite strategies suit high and low
    budgets", TypiClust). Of a large pool an even sample is clustered."""
    values = np.full(len(pool), -np.inf, np.float32)
    items = np.flatnonzero(free)
    if pool.embeddings is None or not len(items):
        return Ranking(values, pool.best_brand)
    items = items[np.linspace(0, len(items) - 1, min(SAMPLED, len(items))).astype(int)]
    known = np.empty((0, 0)) if pool.known is None else pool.known.looks
    values[items] = typicality_order(pool.embeddings(items), known, clusters=room + len(known))
    return Ranking(values, pool.best_brand)


def typicality_order(looks: np.ndarray, known: np.ndarray, *, clusters: int) -> np.ndarray:
    """(n,) float32, higher asked sooner: each cluster's items in the order of how near their
    `NEIGHBOURS` nearest of the cluster are, and clusters in turn, those with something known last,
    the larger of the rest first.

    Args:
        looks, known: (n, d) and (m, d), L2-normalised.
    """
    from sklearn.cluster import MiniBatchKMeans  # a second of imports that only this takes

    means = MiniBatchKMeans(min(clusters, len(looks)), n_init=1, random_state=0).fit(looks)
    cluster = means.labels_
    covered = np.zeros(means.n_clusters, bool)
    if len(known):
        covered[means.predict(known.astype(looks.dtype))] = True
    sizes = np.bincount(cluster, minlength=means.n_clusters)
    turn = np.empty(len(sizes), int)
    turn[np.lexsort((-sizes, covered))] = np.arange(len(sizes))
    place = np.empty(len(looks), int)
    for mine in np.split(np.argsort(cluster, kind="stable"), np.cumsum(sizes)[:-1]):
        likeness = looks[mine] @ looks[mine].T
        near = -np.sort(-likeness, axis=1)[:, 1 : NEIGHBOURS + 1]  # the first is itself
        usual = near.mean(axis=1) if near.shape[1] else np.zeros(len(mine))
        place[mine[np.argsort(-usual, kind="stable")]] = np.arange(len(mine))
    return -(place * len(sizes) + turn[cluster]).astype(np.float32)


def largest_difference(one: TopScores, other: TopScores) -> tuple[np.ndarray, np.ndarray]:
    """The largest |p − q| over all brands either model names, and its brand; −inf where a model did
    not look or neither names one. A brand that only one model names has 0 from the other.

    Returns:
        (n,) float32 and (n,) brands.
    """
    same = (one.brands[:, :, None] == other.brands[:, None, :]) & (one.brands != NO_BRAND)[
        :, :, None
    ]
    of_other = np.where(same, other.scores[:, None, :], 0.0).sum(axis=2)
    gaps = np.concatenate([np.abs(one.scores - of_other), other.scores], axis=1)
    named = np.concatenate(
        [one.brands != NO_BRAND, (other.brands != NO_BRAND) & ~same.any(axis=1)], axis=1
    )
    gaps = np.where(named, gaps, -np.inf)
    for model in (one, other):
        if model.looked is not None:
            gaps[~model.looked] = -np.inf
    if not gaps.shape[1]:
        return np.full(len(gaps), -np.inf, np.float32), np.full(len(gaps), NO_BRAND)
    rows, best = np.arange(len(gaps)), gaps.argmax(axis=1)
    return gaps[rows, best], np.concatenate([one.brands, other.brands], axis=1)[rows, best]


def flagged_brand(pool: ScoredPool) -> np.ndarray:
    """(n,) the item's best brand where its score is over that brand's threshold and the brand in
    focus, else NO_BRAND."""
    best = pool.best_brand.astype(int)
    over = (best != NO_BRAND) & (pool.best >= pool.thresholds[best])
    if pool.focus:
        over &= np.isin(best, pool.focus)
    return np.where(over, best, NO_BRAND)


def _by_doubt(pool: ScoredPool, doubt: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Ranking:
    """What the answer is in doubt of, where a brand in focus is one of the two likeliest.

    Args:
        doubt: of the probabilities (m, k + 1) of the best brands and of none, and of all others
            together (m,).
    """
    values = np.full(len(pool), -np.inf, np.float32)
    scores, brands = _likeliest(pool)
    some = np.flatnonzero(brands != NO_BRAND)
    for start in range(0, len(some), ROWS_AT_ONCE):
        part = some[start : start + ROWS_AT_ONCE]
        named = np.column_stack([pool.scores[part], pool.background[part]])
        rest = np.maximum(1.0 - named.sum(axis=1), 0.0)
        second = np.partition(named, -2, axis=1)[:, -2]
        values[part] = _where(scores[part] >= second, doubt(named, rest))
    return Ranking(values, brands)


def _likeliest(pool: ScoredPool) -> tuple[np.ndarray, np.ndarray]:
    """(n,) score of the best brand in focus, and that brand; NO_BRAND where there is none."""
    if not pool.focus:
        return pool.best, pool.best_brand
    asked = _asked(pool)
    best = np.arange(len(pool)), asked.argmax(axis=1)
    return pool.scores[best], np.where(asked[best], pool.brands[best], NO_BRAND)


def _where(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(mask, values, -np.inf)


def _asked(pool: ScoredPool) -> np.ndarray:
    """(n, k) bool: there is a brand, and the round is about it."""
    return np.isin(pool.brands, pool.focus) if pool.focus else pool.brands != NO_BRAND


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` largest values, largest first."""
    if count < len(values):
        some = np.argpartition(-values, count)[:count]
        return np.asarray(some[np.argsort(-values[some], kind="stable")])
    return np.argsort(-values, kind="stable")


def _most_likely(
    pool: ScoredPool, free: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each brand the `counts[brand]` free items in whose best few it stands highest: items
    (m,) and brands (m,). An item may come for several brands."""
    rows, columns = np.nonzero(np.isin(pool.brands, np.flatnonzero(counts)) & free[:, None])
    of = pool.brands[rows, columns]
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=len(counts)))
    found = []
    for brand, mine in enumerate(np.split(order, ends[:-1])):
        if len(mine):
            scores = pool.scores[rows[mine], columns[mine]]
            found.append(mine[_largest(scores, int(counts[brand]))])
    taken = np.concatenate(found) if found else np.empty(0, int)
    return rows[taken], of[taken]


Rank = Callable[[ScoredPool, np.ndarray, int], Ranking]
RANKED: dict[str, Rank] = {
    "low_precision": by_low_precision,
    "threshold": by_threshold,
    "disagreement": by_disagreement,
    "neighbours": by_neighbours,
    "typical": by_typicality,
    "hard_negatives": by_hard_negatives,
    "margin": by_margin,
    "entropy": by_entropy,
    "uncertain": by_uncertainty,
}
