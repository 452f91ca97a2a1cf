"""Choosing from millions: a batch of 2,000 by every strategy, under a budget for each brand and
diverse, from a scan's shards as they lie on the disk."""

import multiprocessing
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.acquisition import Choice, select
from ml.acquisition.shards import read_pool
from ml.errors import Cancelled
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.scan import write_shard

BRANDS, TOP, DIMENSIONS, LOOKS = 212, 5, 64, 2_000
SHARD, QUICK_SHARD = 100_000, 10_000
BATCH = 2_000
POOLS, QUICK_POOLS = (1_000_000, 2_000_000, 5_000_000), (50_000, 100_000, 250_000)
MIX = {
    "random_control": 0.15,
    "probe": 0.15,
    "low_precision": 0.2,
    "hard_negatives": 0.3,
    "uncertain": 0.2,
}
MOST = 40  # ranked items of one brand


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`rows`: seconds from the first byte read to the batch, and the most memory the process
    held; each pool in a process of its own."""
    rows = []
    pools, shard = (QUICK_POOLS, QUICK_SHARD) if quick else (POOLS, SHARD)
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        for seed in range(1, seeds + 1):
            shards = _draw(
                max(pools),
                shard=shard,
                seed=seed,
                folder=Path(folder),
                progress=progress,
                should_stop=should_stop,
            )
            for pool in pools:
                if should_stop():
                    raise Cancelled
                rows.append(_in_own_process(shards[: -(-pool // shard)], seed) | {"seed": seed})
    return {
        "rows": rows,
        "brands": BRANDS,
        "embedding": DIMENSIONS,
        "most_a_brand": MOST,
        "shard": shard,
    }


def _in_own_process(shards: Sequence[Path], seed: int) -> dict[str, Any]:
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(measure, (list(shards), seed))


def measure(shards: Sequence[Path], seed: int) -> dict[str, Any]:
    """One selection, and what it came to; memory is this process's."""
    before = _peak_mb()
    started = time.perf_counter()
    rng = np.random.default_rng([seed, 1])
    draws = rng.integers(0, 30, BRANDS)
    pool = read_pool(
        shards,
        brands=_brands(),
        thresholds=np.full(BRANDS, 0.6),
        probe_draws=draws,
        probe_hits=rng.binomial(draws, rng.beta(4, 2, BRANDS)),
    )
    read = time.perf_counter() - started
    chosen = select(pool, budget=BATCH, mix=MIX, seed=seed, most=np.full(BRANDS, MOST))
    seconds = time.perf_counter() - started
    return {
        "pool": len(pool),
        "batch": len(chosen),
        "seconds": round(seconds, 2),
        "peak_mb": round(_peak_mb()),
        "read_seconds": round(read, 2),
        "imports_mb": round(before),
        "chosen": _account(chosen),
    }


def _account(chosen: Sequence[Choice]) -> dict[str, Any]:
    ranked = [choice for choice in chosen if choice.propensity is None]
    return {
        "by_strategy": dict(Counter(choice.strategy for choice in chosen)),
        "brands": len({choice.focus_brand for choice in ranked}),
        "most_of_a_brand": max(Counter(choice.focus_brand for choice in ranked).values()),
    }


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would give a child its parent's peak
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def _brands() -> list[str]:
    return [f"brand-{i:03d}" for i in range(BRANDS)]


def _draw(
    rows: int,
    *,
    shard: int,
    seed: int,
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> list[Path]:
    """Shards like `ml.scan`'s: one item in a hundred scores high for a brand, brands are
    long-tailed, and one item in ten is a near-duplicate of an earlier one of its shard."""
    rng = np.random.default_rng(seed)
    looks = rng.normal(size=(LOOKS, DIMENSIONS)).astype(np.float32)
    chance = rng.pareto(1.2, BRANDS) + 0.05
    shards: list[Path] = []
    for start in range(0, rows, shard):
        if should_stop():
            raise Cancelled
        progress.report("draw scores", start / rows)
        n = min(shard, rows - start)
        shards.append(folder / f"part-{len(shards):05d}.parquet")
        write_shard(_shard(rng, start, n, looks, chance / chance.sum()), shards[-1])
    return shards


def _shard(
    rng: np.random.Generator, start: int, n: int, looks: np.ndarray, chance: np.ndarray
) -> pa.Table:
    # Five brands an item without repeats: the first by how frequent brands are, the rest near it.
    first = rng.choice(BRANDS, n, p=chance)
    brands = (first[:, None] + np.array([0, 1, 3, 7, 12])) % BRANDS
    shown = np.where(rng.random(n) < 0.01, rng.beta(5, 2, n), rng.beta(0.4, 20, n))
    rest = (
        np.sort(rng.random((n, TOP - 1)), axis=1)[:, ::-1] * np.minimum(shown, 1 - shown)[:, None]
    )
    scores = np.column_stack([shown, rest / TOP]).astype(np.float32)
    look = looks[rng.integers(LOOKS, size=n)] + 0.6 * rng.normal(size=(n, DIMENSIONS))
    look /= np.linalg.norm(look, axis=1, keepdims=True)
    group = np.arange(start, start + n)
    copies = np.flatnonzero(rng.random(n) < 0.1)
    group[copies] = start + rng.integers(n, size=len(copies))
    names = pa.DictionaryArray.from_arrays(
        pa.array(brands.reshape(-1).astype(np.int32)), pa.array(_brands())
    )
    of_top = pa.array(np.arange(n + 1, dtype=np.int32) * TOP)
    halves = pa.array(look.astype(np.float16).reshape(-1), pa.float16())
    return pa.table(
        {
            "sha256": pa.array([f"{i:064x}" for i in range(start, start + n)]),
            "group": pa.array([f"group-{i}" for i in group.tolist()]),
            "classifier_brands": pa.ListArray.from_arrays(of_top, names.cast(pa.string())),
            "classifier_scores": pa.ListArray.from_arrays(of_top, pa.array(scores.reshape(-1))),
            "classifier_none": pa.array(1 - scores.sum(axis=1)),
            "embedding": pa.ListArray.from_arrays(
                pa.array(np.arange(n + 1, dtype=np.int32) * DIMENSIONS), halves
            ),
        }
    )
