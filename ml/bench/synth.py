"""How fast the generated world is drawn, and that the same seed draws the same one."""

import tempfile
import time
from pathlib import Path
from typing import Any

from ml.errors import Cancelled
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth import generate

SIZES = {"brands": 8, "train": 900, "closed": 240, "open_": 800, "business": 60, "pool": 800}
QUICK = {"brands": 4, "train": 60, "closed": 24, "open_": 60, "business": 12, "pool": 60}
PIXELS = 160


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """Draw a world a seed: `images_per_s` (all cores, mean over seeds) and the manifest's `sha256`
    (of seed 1)."""
    sizes = QUICK if quick else SIZES
    drawn: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        if should_stop():
            raise Cancelled
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            started = time.perf_counter()
            manifest = generate(
                **sizes, size=PIXELS, seed=seed, out=Path(folder) / "world", progress=part,
                should_stop=should_stop,
            )  # fmt: skip
            seconds = time.perf_counter() - started
        drawn.append(
            {
                "seed": seed,
                "images": len(manifest),
                "seconds": round(seconds, 3),
                "images_per_s": round(len(manifest) / seconds, 1),
                "sha256": manifest.sha256,
            }
        )
    speeds = [world["images_per_s"] for world in drawn]
    return {
        "images_per_s": round(sum(speeds) / len(speeds), 1),
        "sha256": drawn[0]["sha256"],
        "sizes": sizes,
        "pixels": PIXELS,
        "seeds": drawn,
    }
