"""How many of known wrong labels `ml.clean` finds, how many of its finds are wrong, and what
training without them, or with them corrected, gains."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.bench.arms import FLAG_RATIO, RECIPE, measure_each
from ml.bench.find_figures import cause_figures, find_figures
from ml.bench.rows import means
from ml.bench.wrong_labels import (
    CONFUSED,
    CONTRADICTED,
    COPIED,
    MISSED,
    WrongLabels,
    give_wrong_labels,
)  # fmt: skip
from ml.clean.run import FINDS, JUDGED, clean, unlabelled
from ml.manifest import Manifest, write_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth import generate

SIZES = {"brands": 12, "train": 2_400, "closed": 800, "open_": 4_000}
QUICK = {"brands": 4, "train": 720, "closed": 300, "open_": 1_500}
SIDE = 80
EPOCHS, QUICK_EPOCHS = 24, 28
FOLDS, QUICK_FOLDS = 5, 3


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`finds`: precision and recall by kind; `causes`: recall by what made the label wrong;
    `training`: what each training set is worth; each as means over the seeds, then by seed."""
    by_seed: dict[str, list[dict[str, Any]]] = {"finds": [], "causes": [], "training": []}
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            for name, rows in one_seed(seed, Path(folder), part, should_stop, quick=quick).items():
                by_seed[name] += [row | {"seed": seed} for row in rows]
    keys = {"finds": "kind", "causes": "cause", "training": "labels"}
    return {name: means(rows, (keys[name],)) for name, rows in by_seed.items()} | {
        "seeds": by_seed,
        "flag_ratio": FLAG_RATIO,
        "sizes": QUICK if quick else SIZES,
        "epochs": QUICK_EPOCHS if quick else EPOCHS,
        "folds": QUICK_FOLDS if quick else FOLDS,
        "rates": {
            "confused": CONFUSED, "missed": MISSED, "copied": COPIED, "contradicted": CONTRADICTED,
        },
    }  # fmt: skip


def one_seed(
    seed: int, folder: Path, progress: Progress, should_stop: ShouldStop, *, quick: bool
) -> dict[str, list[dict[str, Any]]]:
    with progress.part(0.0, 0.1) as part:
        world = generate(
            **(QUICK if quick else SIZES), pool=0, business=0, size=SIDE, seed=seed,
            out=folder / "world", progress=part, should_stop=should_stop,
        )  # fmt: skip
    wrong = give_wrong_labels(world, folder, seed=seed)
    epochs = QUICK_EPOCHS if quick else EPOCHS
    out = folder / "clean"
    with progress.part(0.1, 0.4) as part:
        clean(
            manifest=wrong.given.path,
            out=out,
            folds=QUICK_FOLDS if quick else FOLDS,
            config=RECIPE | {"epochs": epochs, "seed": seed},
            cleaned=None,
            progress=part,
            should_stop=should_stop,
        )
    finds, judged = pq.read_table(out / FINDS), pq.read_table(out / JUDGED)
    sets, looks = training_sets(wrong, finds, folder, seed=seed)
    with progress.part(0.4, 1.0) as part:
        trained = measure_each(
            sets, epochs=epochs, seed=seed, out=folder / "models",
            progress=part, should_stop=should_stop,
        )  # fmt: skip
    return {
        "finds": find_figures(wrong, finds, judged),
        "causes": cause_figures(wrong, finds),
        "training": [row | {"looks": looks[row["labels"]]} for row in trained],
    }


def training_sets(
    wrong: WrongLabels, finds: pa.Table, folder: Path, *, seed: int
) -> tuple[dict[str, Manifest], dict[str, int]]:
    """By name a training set, and how many images a person looked at for it: the labels as given,
    without the finds, with the finds corrected, with as many random rows corrected, and true."""
    given, true = wrong.given.table, wrong.true.table
    images = np.array(given["image"].to_pylist())
    found = np.isin(images, finds["image"].to_pylist())
    shown = found | np.isin(images, [name for name in finds["partner"].to_pylist() if name])
    trained = np.flatnonzero(np.array(given["split"].to_pylist()) == "train")
    rng = np.random.default_rng([seed, 21])
    lot = np.zeros(len(images), bool)
    lot[rng.choice(trained, min(int(shown.sum()), len(trained)), replace=False)] = True
    sets = {
        "given": (given, 0),
        "finds left out": (unlabelled(given, found), 0),
        "finds corrected": (_corrected(given, true, shown), int(shown.sum())),
        "random ones corrected": (_corrected(given, true, lot), int(lot.sum())),
        "true": (true, len(trained)),
    }
    # Beside `given/`, so that its paths hold.
    manifests = {
        name: write_manifest(table, folder / f"set-{i}")
        for i, (name, (table, _)) in enumerate(sets.items())
    }
    return manifests, {name: looks for name, (_, looks) in sets.items()}


def _corrected(given: pa.Table, true: pa.Table, chosen: np.ndarray) -> pa.Table:
    rows = given.to_pylist()
    for i, row in zip(
        np.flatnonzero(chosen), true.filter(pa.array(chosen)).to_pylist(), strict=True
    ):
        rows[i] = row
    return pa.Table.from_pylist(rows, schema=given.schema)
