"""The models alone on real shop images, from random weights and after a generated world.

    python benchmarks/real_models.py --data DATA --json F [--seeds N] [--quick]

Classifier, text model and the two fused on `products/` (34 brands with at least 40 images; weak
labels taken for the truth), detector on `flickrlogos27/`. Groups of near-duplicates stay on one
side: colour variants by their titles, others by perceptual hash. The open set is the brands kept
off the list, and `openset/`; one threshold is fitted for both together, and what it flags of the
other half is reported apart.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

import django

django.setup()

from django.utils.text import slugify

from benchmarks.real_manifests import (
    FORMS,
    openset,
    photos,
    placed,
    products,
    products_table,
    titled,
    write_brands,
)
from benchmarks.real_rows import read_table
from ml.artifact import Artifact
from ml.bench.machine import describe_machine
from ml.bench.rows import means
from ml.evaluate.run import evaluate
from ml.manifest import Manifest, write_manifest
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

FLAG_RATIO = 0.01
WORLD = {"brands": 24, "train": 3_600, "closed": 0, "open_": 0, "business": 0, "pool": 0}
QUICK_WORLD = WORLD | {"brands": 8, "train": 900}
CONFIGS: dict[str, dict[str, Any]] = {
    "classifier": {"epochs": 24, "warm_epochs": 24},
    "detector": {"steps": 1_500, "warm_steps": 1_500},
    "text": {},
    "fusion": {},
}
QUICK_CONFIGS = CONFIGS | {
    "classifier": {"epochs": 6, "warm_epochs": 6},
    "detector": {"steps": 200, "warm_steps": 200},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    data = arguments.data.resolve()
    goods = products(data)
    rows = []
    for seed in range(1, arguments.seeds + 1):
        with tempfile.TemporaryDirectory(prefix="touchstone-real-") as folder:
            bench = Bench(data, goods, Path(folder), seed, quick=arguments.quick)
            rows += bench.rows()
    result = {
        "rows": rows,
        "mean": means(rows, ("name",)),
        "flag_ratio": FLAG_RATIO,
        "quick": arguments.quick,
        "machine": describe_machine(),
    }
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["mean"], indent=2))


class Bench:
    """The trainings and evaluations of one seed, which also draws who is held out."""

    def __init__(
        self, data: Path, products: list[dict[str, Any]], folder: Path, seed: int, *, quick: bool
    ) -> None:
        self._folder, self._seed = folder, seed
        self._configs = QUICK_CONFIGS if quick else CONFIGS
        goods = [placed(row, seed) for row in products]
        names = {slugify(row["brand"]): row["brand"] for row in read_table(products_table(data))}
        self._brands_file = write_brands(folder, goods, names)
        self._goods = write_manifest(goods + openset(data), folder)
        self._titled = {
            form: write_manifest([titled(row, change, names, seed) for row in goods], folder)
            for form, change in FORMS.items()
        }
        self._photos = write_manifest(photos(data, seed), folder)
        sizes = QUICK_WORLD if quick else WORLD
        quiet = Progress(quiet=True)
        self._world = generate(
            **sizes, size=112, seed=seed, out=folder / "world", progress=quiet,
            should_stop=lambda: False,
        )  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        return [*self._detectors(), *self._brand_models()]

    def _detectors(self) -> list[dict[str, Any]]:
        alone = self._train("detector", self._photos)
        world = self._train("detector", self._world)
        after = self._train("detector", self._photos, init=world)
        found = []
        for name, model in (("detector", alone), ("detector, a world before", after)):
            report = self._evaluated([model], self._photos, flag_ratio=None)
            found.append(
                {"name": name, "map50": report["map50"], "map50_95": report["map50_95"]}
                | {"seed": self._seed}
            )
        return found

    def _brand_models(self) -> list[dict[str, Any]]:
        alone = self._train("classifier", self._goods)
        world = self._train("classifier", self._world)
        after = self._train("classifier", self._goods, init=world)
        text = self._train("text", self._goods, brands_file=str(self._brands_file))
        rows = [
            self._row("classifier", [alone], self._goods),
            self._row("classifier, a world before", [after], self._goods),
        ]
        for form, manifest in self._titled.items():
            fusion = self._train("fusion", manifest, models=[_path(after), _path(text)])
            rows.append(self._row(f"text, {form}", [text], manifest))
            rows.append(self._row(f"classifier and text, {form}", [after, text, fusion], manifest))
        return rows

    def _train(
        self, kind: str, manifest: Manifest, *, init: Artifact | None = None, **config: Any
    ) -> Artifact:
        print(f"seed {self._seed}: {kind}", file=sys.stderr, flush=True)
        own = {} if kind == "fusion" else {"seed": self._seed}
        count = len(list(self._folder.glob("model-*")))
        return train(
            kind=kind,
            manifest=manifest.path,
            out=self._folder / f"model-{count}",
            config=self._configs[kind] | own | config,
            init=init.directory if init else None,
            progress=Progress(quiet=True),
            should_stop=lambda: False,
        )

    def _row(self, name: str, models: list[Artifact], manifest: Manifest) -> dict[str, Any]:
        """The last model's closed mean recall, and what it flags of each part of the open set."""
        report = self._evaluated(models, manifest, flag_ratio=FLAG_RATIO)
        report = report.get("models", {}).get(models[-1].kind, report)
        row = {"name": name, "closed_mean_recall": report["closed"]["mean_recall"]}
        row["flag_ratio"] = report["open"]["flag_ratio"]
        parts = report.get("slices", {}).get("open", {}).get("source", [])
        row |= {f"flag_ratio {part['of']}": part["value"] for part in parts}
        return row | {"seed": self._seed}

    def _evaluated(
        self, models: list[Artifact], manifest: Manifest, *, flag_ratio: float | None
    ) -> dict[str, Any]:
        return evaluate(
            models=[Path(_path(model)) for model in models],
            manifest=manifest.path,
            flag_ratio=flag_ratio,
            progress=Progress(quiet=True),
            should_stop=lambda: False,
        )


def _path(artifact: Artifact) -> str:
    return str(artifact.directory)


if __name__ == "__main__":
    main()
