"""Modified copies: what sellers do to a picture so that a copy is not known again, how many of
these `ml.copies` finds, and how many unrelated pictures it takes for copies."""

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from ml.copies import Match, compare, prepare
from ml.errors import Cancelled
from ml.manifest import Manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth import generate

CHANGES = ("cropped", "resized", "recoloured", "mirrored", "bordered")
COLOURS = ((255, 255, 255), (0, 0, 0), (220, 30, 40))
# Pictures, each changed in every way; pairs of unrelated ones; the pool they are drawn from.
SIZES = {"pictures": 80, "pairs": 1000, "pool": 240}
QUICK = {"pictures": 20, "pairs": 150, "pool": 60}


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`changes`: of how many altered pictures how many were `found`, and `named` as what was done
    to them; `unrelated`: of how many pairs how many were `taken` for copies. Sums over seeds."""
    sizes = QUICK if quick else SIZES
    by_seed = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            world = generate(
                brands=12, train=0, closed=0, open_=0, business=0, pool=sizes["pool"], size=224,
                seed=seed, out=Path(folder) / "world", progress=Progress(quiet=True),
                should_stop=should_stop,
            )  # fmt: skip
            pictures = originals(world)[: sizes["pictures"]]
            by_seed.append(_measure(pictures, sizes["pairs"], seed, part, should_stop))
    changes = {
        change: {
            name: sum(figures["changes"][change][name] for figures in by_seed)
            for name in ("of", "found", "named")
        }
        for change in CHANGES
    }
    unrelated = {
        name: sum(figures["unrelated"][name] for figures in by_seed) for name in ("of", "taken")
    }
    return {"changes": changes, "unrelated": unrelated, "sizes": sizes, "seeds": by_seed}


def _measure(
    pictures: Sequence[Image.Image],
    pairs: int,
    seed: int,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    prepared = [prepare(np.asarray(picture)) for picture in pictures]
    changes = {change: {"of": len(pictures), "found": 0, "named": 0} for change in CHANGES}
    for number, (own, picture) in enumerate(zip(prepared, pictures, strict=True)):
        progress.report("alter and compare", 0.7 * number / len(pictures))
        if should_stop():
            raise Cancelled
        for change, counts in changes.items():
            altered = prepare(np.asarray(alter(picture, change, rng)))
            match: Match | None = compare(own, altered)
            counts["found"] += match is not None
            counts["named"] += match is not None and change in match.changes
    all_pairs = [(i, j) for i in range(len(pictures)) for j in range(i)]
    drawn = rng.choice(len(all_pairs), min(pairs, len(all_pairs)), replace=False)
    taken = 0
    for number, pair in enumerate(drawn):
        progress.report("compare unrelated ones", 0.7 + 0.3 * number / len(drawn))
        if should_stop():
            raise Cancelled
        one, other = all_pairs[pair]
        taken += compare(prepared[one], prepared[other]) is not None
    return {"seed": seed, "changes": changes, "unrelated": {"of": len(drawn), "taken": taken}}


def originals(world: Manifest) -> list[Image.Image]:
    """One picture of each group of a generated pool: no two are of one scene."""
    rows = world.rows("pool").to_pylist()
    first = {row["group"]: row["image"] for row in reversed(rows)}
    folder = Path(world.path).parent
    return [Image.open(folder / name).convert("RGB") for _, name in sorted(first.items())]


def alter(picture: Image.Image, change: str, rng: np.random.Generator) -> Image.Image:
    """One change, and a JPEG of another quality."""
    width, height = picture.size
    if change == "cropped":
        keep = rng.uniform(0.65, 0.9)
        inner = int(width * keep), int(height * keep)
        left = int(rng.integers(0, width - inner[0] + 1))
        top = int(rng.integers(0, height - inner[1] + 1))
        picture = picture.crop((left, top, left + inner[0], top + inner[1]))
    elif change == "resized":
        scale = float(rng.choice([0.4, 0.6, 1.6, 2.0]))
        stretch = scale * rng.uniform(0.9, 1.1)
        picture = picture.resize((int(width * scale), int(height * stretch)))
    elif change == "recoloured":
        levels = np.array(picture.convert("HSV"))
        levels[..., 0] = (levels[..., 0].astype(int) + int(rng.integers(30, 220))) % 256
        picture = Image.fromarray(levels, "HSV").convert("RGB")
        picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.7, 1.25))
        picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.75, 1.25))
    elif change == "mirrored":
        picture = ImageOps.mirror(picture)
    elif change == "bordered":
        width = int(width * rng.uniform(0.05, 0.2))
        picture = ImageOps.expand(picture, width, fill=COLOURS[rng.integers(len(COLOURS))])
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=int(rng.integers(60, 92)))
    return Image.open(out).convert("RGB")
