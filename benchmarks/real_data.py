"""The loop on real shop images: lay the folders out, and account for what came of it.

    python benchmarks/real_data.py prepare --data DATA --out DIR
    sh DIR/ingest.sh
    python manage.py loop --rounds 2 --simulate --truth DIR/truth --json DIR/loop.json
    python benchmarks/real_data.py report --json DIR/report.json

DATA holds `products/` (products.csv, weak brand names), `openset/` and `flickrlogos27/`
(boxes.csv). Brands with fewer than MIN_IMAGES pictures stay off the list; they and `openset/`
are the open set, reported apart, because telling two photo styles apart is easy. Colour variants
of one product stay together; near-duplicates that slip through are caught by ingest.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

import django
from django.utils.text import slugify

from benchmarks.real_rows import box, boxes_by_file, draw, listed_brands, read_table, style

# What each folder's table says beyond, or short of, the product table.
SAID = {
    "train": {},
    "train_other": {},
    "closed": {"answer": "brand"},
    "off_list": {"answer": "other"},
    "pool": {"brand": "", "title": ""},  # a stream of shop images says neither
}


def prepare(*, data: Path, out: Path, seed: int) -> None:
    """Write the folders, the labelers' truth and the ingest commands under `out`.

    Raises:
        FileExistsError: `out` is there already.
    """
    from ml.manifest import write_manifest

    out.mkdir(parents=True)
    truth = _products(data / "products", out, seed) + _flickr(data / "flickrlogos27", out, seed)
    shutil.copytree(data / "openset", out / "openset")
    write_manifest(truth, out / "truth")
    commands = [
        f"ingest {out}/train --source product_table --split train --brands-from-data",
        f"ingest {out}/boxes_train --source flickrlogos27 --split train --brands-from-data",
        f"ingest {out}/closed --source product_table --split closed --trusted",
        f"ingest {out}/boxes_closed --source flickrlogos27 --split closed",
        f"ingest {out}/off_list --source off_list --split open --trusted",
        f"ingest {out}/openset --source openset --split open",
        f"ingest {out}/train_other --source product_table --split train",
        f"ingest {out}/pool --source online --split pool",
        f"ingest {out}/boxes_pool --source online --split pool",
    ]
    lines = [f'"{sys.executable}" "{ROOT}/manage.py" {command}' for command in commands]
    (out / "ingest.sh").write_text("set -e\n" + "\n".join(lines) + "\n")


def _products(source: Path, out: Path, seed: int) -> list[dict]:
    rows = read_table(source / "products.csv")
    on_list = listed_brands(rows)
    folders: dict[str, list[dict]] = defaultdict(list)
    truth = []
    for row in rows:
        listed = slugify(row["brand"]) in on_list
        folder = _product_folder(draw(seed, style(row)), listed=listed)
        if folder == "pool":
            image = source / "images" / row["file"]
            truth.append(_truth(image, row["brand"] if listed else None))
        folders[folder].append(row | SAID[folder])
    for folder, part in folders.items():
        _write_folder(out / folder, "products.csv", part, source / "images")
    return truth


def _product_folder(drawn: float, *, listed: bool) -> str:
    if listed:
        return "closed" if drawn < 0.2 else "train" if drawn < 0.65 else "pool"
    return "off_list" if drawn < 0.5 else "train_other" if drawn < 0.75 else "pool"


def _flickr(source: Path, out: Path, seed: int) -> list[dict]:
    folders: dict[str, list[dict]] = defaultdict(list)
    truth = []
    for file, boxes in boxes_by_file(source).items():
        drawn = draw(seed, file)
        folder = "boxes_train" if drawn < 0.6 else "boxes_closed" if drawn < 0.85 else "boxes_pool"
        if folder == "boxes_pool":
            truth.append(_truth(source / "images" / file, boxes[0]["brand"], boxes))
            folders[folder].append({"id": file, "file": file, "brand": ""})
        else:
            folders[folder] += boxes
    for folder, part in folders.items():
        table = "products.csv" if folder == "boxes_pool" else "boxes.csv"
        _write_folder(out / folder, table, part, source / "images")
    return truth


def _truth(image: Path, brand: str | None, boxes: list[dict] | None = None) -> dict:
    from ml.artifact import file_sha256

    return {
        "image": str(image),
        "sha256": file_sha256(image),
        "answer": "brand" if brand else "other",
        "brand": slugify(brand) if brand else None,
        # Nobody boxed the product images: that is not to have seen no mark there.
        "boxes": None if boxes is None else [box(row) for row in boxes],
        "variation": "none",
        "split": "pool",
    }


def _write_folder(folder: Path, table: str, rows: list[dict], images: Path) -> None:
    (folder / "images").mkdir(parents=True)
    for file in {row["file"] for row in rows}:
        shutil.copy(images / file, folder / "images" / file)
    with (folder / table).open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0] | rows[-1]))
        writer.writeheader()
        writer.writerows(rows)


def report() -> dict:
    """The champion on each part of the open set, at its own thresholds."""
    from active_learning.datasets import evaluation_manifest
    from active_learning.models import Release

    champion = Release.objects.get(state=Release.State.CHAMPION)
    manifest = evaluation_manifest()
    source = dict(
        zip(*(manifest.table[name].to_pylist() for name in ("sha256", "source")), strict=True)
    )
    flagged: dict[str, list[bool]] = defaultdict(list)
    threshold = champion.thresholds["classifier"]
    for row in _scan(champion, manifest.path):
        limit = threshold.get(row["classifier_brands"][0], threshold.get("*"))
        flagged[source[row["sha256"]]].append(row["classifier_scores"][0] >= limit)
    return {
        "release": champion.number,
        "open": {
            name: {"flag_ratio": sum(flags) / len(flags), "n": len(flags)}
            for name, flags in sorted(flagged.items())
        },
    }


def _scan(champion, manifest: Path) -> list[dict]:
    import pyarrow.dataset as ds

    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "ml", "scan", "--split", "open", "--out", out]
        models = ["--model", champion.classifier.artifact, "--manifest", str(manifest)]
        subprocess.run([*command, *models], cwd=ROOT, check=True)
        shards = sorted(Path(out).glob("part-*.parquet"))
        return ds.dataset(shards).to_table().to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    prepare_parser = commands.add_parser("prepare")
    prepare_parser.add_argument("--data", type=Path, required=True)
    prepare_parser.add_argument("--out", type=Path, required=True)
    prepare_parser.add_argument("--seed", type=int, default=1)
    report_parser = commands.add_parser("report")
    report_parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    django.setup()
    if arguments.command == "prepare":
        prepare(data=arguments.data, out=arguments.out.resolve(), seed=arguments.seed)
    else:
        figures = report()
        arguments.json.write_text(json.dumps(figures, indent=2))
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
