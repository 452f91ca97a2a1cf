"""Outcomes of rows made up, for measures that need no model."""

import numpy as np
import pyarrow as pa

from ml.evaluate.judging import judge
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.scored import Scored
from ml.manifest import SCHEMA

BRANDS = ["akira", "bodo", "cyan", "doro"]


def made(
    *, seed: int = 0, closed: int = 120, opened: int = 200, grouped: int = 1, **columns: list
) -> tuple[Scored, Outcomes]:
    """Scores of a model that is often right, and their outcomes at the threshold 0.5.

    Args:
        grouped: rows of a brand that make a group.
        columns: further columns of the manifest, one value a row.
    """
    rng = np.random.default_rng(seed)
    n = closed + opened
    brand = rng.integers(0, len(BRANDS), n)
    shown = (np.arange(n) < closed) | (rng.random(n) < 0.05)
    logits = rng.normal(0, 1, (n, len(BRANDS) + 1))
    logits[np.arange(n), np.where(shown, brand, len(BRANDS))] += 2
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = {
        "image": [f"{i}.png" for i in range(n)],
        "sha256": [f"{i:064x}" for i in range(n)],
        "answer": ["brand" if yes else "none" for yes in shown],
        "brand": [BRANDS[b] if yes else None for b, yes in zip(brand, shown, strict=True)],
        "split": ["closed"] * closed + ["open"] * opened,
        "group": [f"{brand[i]}-{i // grouped}" for i in range(n)],
    }
    table = pa.Table.from_pydict(
        {name: (rows | columns).get(name, [None] * n) for name in SCHEMA.names}, schema=SCHEMA
    )
    data = Scored(table, BRANDS, scores[:, :-1].astype(np.float32))
    return data, judge("classifier", data, flag_ratio=None)[1]
