"""Memory of a long scan, seen from outside."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil

import ml
from ml.errors import Cancelled
from ml.manifest import write_manifest
from ml.models.base import ShouldStop

PARTS = 10
SHARD = 2048


def memory_of_scan(
    folders: Sequence[Path],
    images: Sequence[Path],
    out: Path,
    *,
    rows: int,
    threads: int,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """`python -m ml scan` over `rows` rows, the images over and over: its `peak_mb`, and the
    resident memory in each tenth of the images, medians in MB.

    Raises:
        Cancelled: `should_stop` became true; the scan was ended.
        RuntimeError: the scan failed.
    """
    repeated = (images[i % len(images)] for i in range(rows))
    manifest = write_manifest(
        [
            {"image": str(path), "sha256": f"{i:064x}", "split": "pool"}
            for i, path in enumerate(repeated)
        ],
        out / "rows",
    )
    argv = [sys.executable, "-m", "ml", "scan", "--manifest", str(manifest.path)]
    size = max(1, min(SHARD, rows // PARTS))
    argv += ["--out", str(out / "shards"), "--workers", str(threads), "--shard-size", str(size)]
    for folder in folders:
        argv += ["--model", str(folder)]
    root = Path(ml.__file__).parents[1]
    seen: list[list[float]] = [[] for _ in range(PARTS)]
    started = time.perf_counter()
    with subprocess.Popen(argv, cwd=root, stderr=subprocess.DEVNULL) as running:
        process = psutil.Process(running.pid)
        while running.poll() is None:
            if should_stop():
                running.terminate()
                raise Cancelled
            done = size * len(list((out / "shards").glob("part-*"))) / rows
            seen[min(PARTS - 1, int(PARTS * done))].append(process.memory_info().rss / 2**20)
            time.sleep(0.05)
    if running.returncode:
        raise RuntimeError(f"the scan ended with {running.returncode}")
    seconds = time.perf_counter() - started
    return {
        "peak_mb": round(max(max(tenth, default=0.0) for tenth in seen)),
        "mb_by_tenth": [round(median(tenth)) for tenth in seen if tenth],
        "images": rows,
        "images_per_s": round(rows / seconds, 1),
    }
