"""A whole world: every folder drawn, the tables, the guidelines, and the manifest last."""

import multiprocessing
import os
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from ml.errors import Cancelled, InputError
from ml.files import new_folder
from ml.manifest import SCHEMA, Manifest, read_manifest, write_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth.brands import Brand, make_brands
from ml.synth.commerce import make_merchants
from ml.synth.guidelines import write_brands
from ml.synth.plan import FOLDERS, Cast, Plan, plan_folder
from ml.synth.render import World, render
from ml.synth.tables import write_folder_tables, write_merchants, write_title_truth

SIZES = (48, 1024)
# Below this many pictures a second process costs more than it saves.
_PER_PROCESS = 150


def generate(
    *,
    brands: int,
    train: int,
    closed: int,
    open_: int,
    business: int,
    pool: int,
    size: int,
    seed: int,
    out: Path,
    progress: Progress,
    audit: int = 0,
    should_stop: ShouldStop = lambda: False,
) -> Manifest:
    """Draw a world into `out` (layout: docs/architecture.md, "A generated world").

    The same arguments give the same manifest hash everywhere. `out` appears whole or not at all.

    Args:
        brands: listed brands; a quarter as many again exist without being on the list.
        train: catalogue pictures; detection and variation get a third as many each on top.
        open_: pictures of the open set, 2 % of them with a listed brand.
        size: longer side of a picture, pixels.
        audit: training pictures of misses like those of `business`, found and labelled by audits
            before its cut-off date.

    Raises:
        InputError: a number is out of range, or `out` is not empty.
        Cancelled: `should_stop` became true; nothing is left.
    """
    counts = {
        "train": train, "detection": train // 3, "variation": train // 3, "pool": pool,
        "closed": closed, "open": open_, "business": business, "audit": audit,
    }  # fmt: skip
    _check(counts, size=size)
    made = make_brands(count=brands, seed=seed)
    with new_folder(out) as draft:
        world = World(
            directory=draft,
            seed=seed,
            size=size,
            brands=made,
            merchants=make_merchants(made, seed),
        )
        _write_world(world, counts, progress, should_stop)
    return read_manifest(Path(out).resolve())


def _check(counts: dict[str, int], *, size: int) -> None:
    for name, count in counts.items():
        if count < 0:
            raise InputError(f"--{name} {count}: a number of images cannot be negative")
    if not sum(counts.values()):
        raise InputError("a world of no images: give --train, --pool or another folder some")
    if not SIZES[0] <= size <= SIZES[1]:
        raise InputError(f"--size {size}: between {SIZES[0]} and {SIZES[1]} pixels")


def _write_world(
    world: World, counts: dict[str, int], progress: Progress, should_stop: ShouldStop
) -> None:
    for folder in FOLDERS:
        (world.directory / folder).mkdir(parents=True)
    write_brands(world.brands, directory=world.directory, seed=world.seed)
    write_merchants(world.merchants, world.brands, world.directory)
    rows = _draw(world, plan_world(world.brands, counts, world.seed), progress, should_stop)
    for folder in FOLDERS:
        of_folder = [row for row in rows if row["source"] == folder]
        write_folder_tables(folder, of_folder, world.directory / folder)
    truth = [{name: row.get(name) for name in SCHEMA.names} for row in rows]
    pool = [
        row | {"image": f"../{row['image']}"} for row in truth if row["split"] == "pool"
    ]  # a manifest's paths are relative to its own folder
    write_manifest(pool, world.directory / "truth")
    write_title_truth(rows, world.directory / "truth")
    asked = ("answer", "brand", "boxes", "variation", "has_logo", "risk", "attack", "licensed")
    unknown: dict[str, Any] = dict.fromkeys(asked) | {"answer": "unlabelled"}
    write_manifest(
        [row | unknown if row["split"] == "pool" else row for row in truth], world.directory
    )


def plan_world(brands: list[Brand], counts: dict[str, int], seed: int) -> list[Plan]:
    """The plans of all folders; `counts` says how many pictures of each there are."""
    listed = sum(brand.listed for brand in brands)
    cast = Cast(listed=listed, unlisted=len(brands) - listed)
    return [
        plan
        for folder in FOLDERS
        for plan in plan_folder(folder=folder, count=counts.get(folder, 0), cast=cast, seed=seed)
    ]


def _draw(
    world: World, plans: Sequence[Plan], progress: Progress, should_stop: ShouldStop
) -> list[dict[str, Any]]:
    rows = []
    with closing(_rendered(world, plans)) as rendered:
        for row in rendered:
            if should_stop():
                raise Cancelled("a world begins anew")
            rows.append(row)
            if len(rows) % 50 == 0 or len(rows) == len(plans):
                progress.report("drawing", len(rows) / len(plans))
    return rows


def _rendered(world: World, plans: Sequence[Plan]) -> Generator[dict[str, Any]]:
    workers = min(os.cpu_count() or 1, len(plans) // _PER_PROCESS)
    if workers < 2:
        yield from map(partial(render, world), plans)
        return
    # Spawned, not forked: the parent has Arrow's threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context,
        # The parent is asked to stop, and closes this.
        initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as processes:  # fmt: skip
        yield from processes.map(partial(render, world), plans, chunksize=25)
