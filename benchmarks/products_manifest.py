"""The manifest of the real product images, for `python -m ml bench label-efficiency --manifest F`.

    python benchmarks/products_manifest.py --data DATA --out DIR [--named]

Titles are without their brand's name, as sellers with something to hide write them; with `--named`
they are as they were written, and nearly every title says the answer. Prints where it was written.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

import django

django.setup()

from benchmarks.real_manifests import openset, placed, products
from ml.manifest import write_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1, help="draws who is held out")
    parser.add_argument("--named", action="store_true", help="titles as they were written")
    arguments = parser.parse_args()
    data = arguments.data.resolve()
    goods = [placed(row, arguments.seed) for row in products(data, named=arguments.named)]
    print(write_manifest(goods + openset(data), arguments.out).path)


if __name__ == "__main__":
    main()
