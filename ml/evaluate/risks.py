"""Whether the kind of risk is told: attacks by the classifier alone, and the four risks of found
items by attack, price and licence."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import rankdata

from ml.evaluate.bootstrap import TAILS
from ml.evaluate.intervals import share_of
from ml.manifest import group_keys
from ml.models.attacks import ATTACKS, NEITHER, attack_classes, attacks_told
from ml.risks import likely_attack, proposed_risk

LEAST_PRODUCTS = 5  # fewer have no usual price
RESAMPLES = 500
Prices = Mapping[tuple[str, str | None], float]


def usual_prices(rows: pa.Table) -> dict[tuple[str, str | None], float]:
    """By brand and category, the median price of the licensed rows, or of all where these are too
    few; none where all are. (The platform asks its database the same: `annotation.prices`.)"""
    names = ("answer", "brand", "category", "price", "licensed")
    of_all, of_licensed = defaultdict(list), defaultdict(list)
    for answer, brand, category, price, licensed in zip(
        *(rows[name].to_pylist() for name in names), strict=True
    ):
        if answer == "brand" and price:
            of_all[brand, category].append(price)
            if licensed:
                of_licensed[brand, category].append(price)
    chosen = {
        key: of_licensed[key] if len(of_licensed[key]) >= LEAST_PRODUCTS else prices
        for key, prices in of_all.items()
    }
    return {key: median(prices) for key, prices in chosen.items() if len(prices) >= LEAST_PRODUCTS}


def risk_figures(
    rows: pa.Table, hit: np.ndarray, attacks: np.ndarray | None, usual: Prices
) -> dict[str, Any]:
    """`{"risks": {"right", "by_price_alone", "pairs"}}`: of the closed and business items that were
    found for their brand and have a known risk, the share whose proposed risk is that; the same
    share without asking the classifier for attacks; how often which was taken for which.

    Args:
        hit: bool [n].
        attacks: [n, len(ATTACKS)] of the rows; None where no model tells any.
    """
    names = ("risk", "brand", "category", "price")
    columns = [rows[name].to_pylist() for name in names]
    index = [i for i in np.flatnonzero(hit & _tested(rows)).tolist() if columns[0][i]]
    if not index:
        return {}
    pairs: Counter[tuple[str, str]] = Counter()
    right, alone = [], []
    for i in index:
        risk, brand, category, price = (column[i] for column in columns)
        middle = usual.get((brand, category))
        ratio = price / middle if price is not None and middle else None
        told = {} if attacks is None else attacks_told(attacks[i])
        said = proposed_risk(likely_attack(told), ratio)
        pairs[risk, said] += 1
        right.append(said == risk)
        alone.append(proposed_risk(None, ratio) == risk)
    groups = np.array(group_keys(rows), dtype=object)[index]
    return {
        "risks": {
            name: figure.as_json()
            for name, hits in (("right", right), ("by_price_alone", alone))
            if (figure := share_of(np.array(hits), groups)) is not None
        }
        | {
            "pairs": [
                {"true": true, "said": said, "n": n} for (true, said), n in sorted(pairs.items())
            ]
        }
    }


def attack_figures(rows: pa.Table, attacks: np.ndarray | None) -> dict[str, Any]:
    """`{"attacks": {kind: {"auc", "interval", "rows", "others"}}}`: how well a told kind is ranked
    above closed and business items of another risk than the two, with a bootstrap over groups."""
    if attacks is None:
        return {}
    classes = attack_classes(rows)
    tested, groups = _tested(rows), np.array(group_keys(rows), dtype=object)
    figures = {}
    for place, name in enumerate(ATTACKS):
        asked = tested & np.isin(classes, [NEITHER, place + 1])
        scores, is_kind = attacks[asked, place], classes[asked] == place + 1
        if np.isnan(scores).any() or is_kind.all() or not is_kind.any():
            continue
        drawn = _resampled(scores, is_kind, groups[asked])
        low, high = np.percentile(drawn, TAILS)
        figures[name] = {
            "auc": area_under_curve(scores, is_kind),
            "interval": [float(low), float(high)],
            "rows": int(is_kind.sum()),
            "others": int((~is_kind).sum()),
        }
    return {"attacks": figures} if figures else {}


def _tested(rows: pa.Table) -> np.ndarray:
    return np.isin(rows["split"].to_pylist(), ["closed", "business"])


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a positive scores above a negative, ties counted half (Mann & Whitney 1947);
    scores and bool, [n], with both kinds in it."""
    count = int(positive.sum())
    ranks = float(rankdata(scores)[positive].sum())
    return (ranks - count * (count + 1) / 2) / (count * (len(scores) - count))


def _resampled(scores: np.ndarray, positive: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """[RESAMPLES], without draws of one kind alone."""
    rng = np.random.default_rng(0)
    names, group = np.unique(groups, return_inverse=True)
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group))[:-1])
    found = []
    for _ in range(RESAMPLES):
        drawn = np.concatenate([members[g] for g in rng.integers(len(names), size=len(names))])
        if 0 < positive[drawn].sum() < len(drawn):
            found.append(area_under_curve(scores[drawn], positive[drawn]))
    return np.array(found or [area_under_curve(scores, positive)])
