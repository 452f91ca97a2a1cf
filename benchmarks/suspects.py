"""Whether suspected labels are wrong: the strategy on a generated world with known wrong labels,
beside the word of the network that learned from them.

    python -m benchmarks.suspects [--seed N] [--json F]
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.acquisition import left_out_chances, suspicion
from ml.bench.wrong_labels import give_wrong_labels
from ml.forecast.ground import answers_of
from ml.manifest import group_keys
from ml.predict import inputs_of, load_models, score_all
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

SIZES = {"brands": 8, "train": 1_800, "closed": 0, "open_": 0, "business": 0, "pool": 0}
EPOCHS = 16


def measure(seed: int) -> dict[str, Any]:
    quiet = Progress(quiet=True)
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as name:
        folder = Path(name)
        world = generate(
            **SIZES, size=160, seed=seed, out=folder / "world", progress=quiet,
            should_stop=lambda: False,
        )  # fmt: skip
        labels = give_wrong_labels(world, folder / "labels", seed=seed)
        train(
            kind="classifier", manifest=labels.given.path, out=folder / "model",
            config={"epochs": EPOCHS, "threads": 1, "seed": seed}, init=None, progress=quiet,
            should_stop=lambda: False,
        )  # fmt: skip
        models = load_models([folder / "model"])
        rows, brands = labels.given.rows("train"), models["classifier"].labels[:-1]
        said = score_all(models, inputs_of(labels.given, rows, models))["classifier"]
    given = answers_of(rows, brands)
    # A copy that carries its original's right answer is right too.
    wrong = given != answers_of(labels.true.rows("train"), brands)
    assert said.embeddings is not None and said.probabilities is not None  # noqa: S101
    left_out = left_out_chances(said.embeddings, given, group_keys(rows))
    return {"rows": len(given), "wrong": round(float(wrong.mean()), 4)} | {
        name: _figures(suspicion(chances, given), wrong)
        for name, chances in (("left_out", left_out), ("network", said.probabilities))
    }


def _figures(value: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    first = np.argsort(-value, kind="stable")
    return {
        "average_precision": round(float(average_precision_score(wrong, value)), 3),
        "auc": round(float(roc_auc_score(wrong, value)), 3),
        "wrong_of_100": int(wrong[first[:100]].sum()),
        "wrong_of_200": int(wrong[first[:200]].sum()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = json.dumps(measure(arguments.seed), indent=2)
    print(found)
    if arguments.json:
        arguments.json.write_text(found + "\n")


if __name__ == "__main__":
    main()
