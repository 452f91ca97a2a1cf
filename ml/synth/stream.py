"""Pictures of a world in parts, each gone again when the next is asked for: more of them than a
disk should hold."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from ml.synth.plan import FOLDERS, Plan
from ml.synth.render import World, render


def draw_in_parts(
    world: World, plans: Sequence[Plan], *, size: int = 1_000
) -> Iterator[list[dict[str, Any]]]:
    """The rows of `render`, `size` at a time; while one part is read the next is drawn.

    The files of a part, below `world.directory`, are there until the next one is asked for.
    """
    for folder in FOLDERS:
        (world.directory / folder).mkdir(parents=True, exist_ok=True)
    parts = [plans[start : start + size] for start in range(0, len(plans), size)]
    # Spawned, not forked: the parent has Arrow's threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as processes:
        draw = partial(processes.map, partial(render, world), chunksize=25)
        drawn = draw(parts[0]) if parts else iter(())
        for i in range(len(parts)):
            rows = list(drawn)
            drawn = draw(parts[i + 1]) if i + 1 < len(parts) else iter(())
            yield rows
            for row in rows:
                (world.directory / row["image"]).unlink()
