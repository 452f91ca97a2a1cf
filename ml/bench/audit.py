"""What audited labels of past misses buy on the business set, against as many random labels."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.bench.arms import FLAG_RATIO, measure_each
from ml.bench.rows import means
from ml.manifest import Manifest, read_manifest, rebased, write_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth import generate

# `extra`: labels added; as many catalogue pictures of a brand are held back for a control.
SIZES = {"brands": 12, "train": 2_400, "closed": 800, "open_": 4_000, "business": 1_200}
QUICK = {"brands": 4, "train": 720, "closed": 300, "open_": 1_500, "business": 300}
EXTRA, QUICK_EXTRA = 400, 120
SIDE = 80
EPOCHS, QUICK_EPOCHS = 24, 28


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`mean`: what each training set is worth, over the seeds; `rows`: the same by seed."""
    rows: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            rows += one_seed(seed, Path(folder), part, should_stop, quick=quick)
    return {
        "mean": means(rows, ("labels",)),
        "rows": rows,
        "flag_ratio": FLAG_RATIO,
        "extra": QUICK_EXTRA if quick else EXTRA,
        "sizes": QUICK if quick else SIZES,
        "epochs": QUICK_EPOCHS if quick else EPOCHS,
    }


def one_seed(
    seed: int, folder: Path, progress: Progress, should_stop: ShouldStop, *, quick: bool
) -> list[dict[str, Any]]:
    """A row a training set."""
    extra = QUICK_EXTRA if quick else EXTRA
    with progress.part(0.0, 0.2) as part:
        world = generate(
            **(QUICK if quick else SIZES), pool=extra, audit=extra, size=SIDE, seed=seed,
            out=folder / "world", progress=part, should_stop=should_stop,
        )  # fmt: skip
    # Beside `world/`, so that their paths hold.
    sets = {
        name: write_manifest(table, folder / f"set-{i}")
        for i, (name, table) in enumerate(training_sets(world, extra, seed=seed).items())
    }
    with progress.part(0.2, 1.0) as part:
        rows = measure_each(
            sets,
            epochs=QUICK_EPOCHS if quick else EPOCHS,
            seed=seed,
            out=folder / "models",
            progress=part,
            should_stop=should_stop,
        )
    return [row | {"seed": seed} for row in rows]


def training_sets(world: Manifest, extra: int, *, seed: int) -> dict[str, pa.Table]:
    """By name the rows to train and to test on, with paths relative to a folder beside the
    world's: the base set, and the base set with `extra` labels more.

    The business set and the audited misses are drawn alike and have no picture in common. The
    controls are random pictures of the pool, as a labeler would answer them, and random catalogue
    pictures that show a brand, as all the audited ones do.
    """
    beside = world.path.parent.parent / "set"
    table = rebased(world.table, before=world.path.parent, after=beside)
    source = np.array(table["source"].to_pylist())
    branded = np.array(table["answer"].to_pylist()) == "brand"
    rng = np.random.default_rng([seed, 22])
    held_back = np.zeros(len(table), bool)
    catalogue = np.flatnonzero((source == "train") & branded)
    held_back[rng.choice(catalogue, extra, replace=False)] = True
    base = table.filter(pa.array(~held_back & ~np.isin(source, ["audit", "pool"])))
    truth = read_manifest(world.path.parent / "truth")
    pool = rebased(truth.table, before=truth.path.parent, after=beside)
    train = pa.array(["train"] * len(pool))
    more = {
        "audited misses": table.filter(pa.array(source == "audit")),
        "random, online": pool.set_column(pool.column_names.index("split"), "split", train),
        "random, of brands": table.filter(pa.array(held_back)),
    }
    return {"base": base} | {
        f"base + {name}": pa.concat_tables([base, rows]) for name, rows in more.items()
    }
