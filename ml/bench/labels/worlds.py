"""The materials of the three settings, from generated worlds and from labelled images of one's own.
Embeddings know nothing of what a campaign asks: who made them learned other images of its brands,
or these images by other brands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.bench.labels.material import Images, Material, Row, rare_positives
from ml.bench.labels.title_looks import beside, title_looks
from ml.embed import embed
from ml.errors import InputError
from ml.forecast.heads import Labelled
from ml.images import image_paths
from ml.manifest import Manifest, read_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

GIVEN_NEGATIVES = 50
ONLINE = 4  # one in so many open images sets operating points, the others are tested
# What is given of each brand, and how much of the pool shows one of them.
SETTINGS: dict[str, dict[str, float]] = {
    "rare": {"positives": 2, "share": 0.02},
    "negatives": {"positives": 60, "share": 0.01},
    "products": {"positives": 2},  # the pool as it is
}
GENERATED = ("rare", "negatives")  # of them, what a generated world can play


@dataclass(frozen=True)
class Size:
    """Of a world, its pictures in pixels, and the classifier whose embeddings are used."""

    world: Mapping[str, int]
    picture: int
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """Rows whose answer is known, and their looks."""

    rows: Sequence[Row]
    labelled: Labelled

    def only(self, places: np.ndarray) -> "Known":
        return Known([self.rows[i] for i in places], self.labelled.only(places))


@dataclass(frozen=True)
class World:
    """Images as points: what settings are drawn from.

    Attributes:
        pool: what can be bought; None: what is not given of `training`.
    """

    brands: Sequence[str]
    pool: Known | None
    training: Known
    closed: Known
    open_: Known
    champion: Path


def generated(
    seed: int, size: Size, folder: Path, *, progress: Progress, should_stop: ShouldStop
) -> World:
    """A generated world. Embeddings are those of a classifier trained on the world's training rows,
    as a champion's are."""
    with progress.part(0.0, 0.4) as part:
        world = generate(
            **size.world, business=0, size=size.picture, seed=seed, out=folder / "world",
            progress=part, should_stop=should_stop,
        )  # fmt: skip
    truth = read_manifest(folder / "world" / "truth")
    brands = _brands(world)
    champion = folder / "generated"
    with progress.part(0.4, 1.0) as part:
        looks = _looks(
            world, config={**size.config, "brands": brands, "seed": seed},
            embedded=[world, truth], out=champion, progress=part, should_stop=should_stop,
        )  # fmt: skip
    training, closed, open_ = (
        _known(world, world.rows(split), looks, brands) for split in ("train", "closed", "open")
    )
    pool = _known(truth, truth.table, looks, brands)
    return World(brands, pool, training, closed, open_, champion)


def given(
    manifest: Path,
    seed: int,
    size: Size,
    folder: Path,
    *,
    progress: Progress,
    should_stop: ShouldStop,
) -> World:
    """Labelled images of one's own. A look is an image's embedding, by a classifier that learned
    every other brand (the campaign is about the rest), and beside it what the title is like, where
    there are titles.

    Raises:
        InputError: it has no closed rows of two brands.
    """
    data = read_manifest(manifest)
    brands = _brands(data)
    learned, new = brands[::2], brands[1::2]
    if not new:
        raise InputError(f"{data.path}: closed rows of two brands are needed")
    champion = folder / "given"
    looks = _looks(
        data, config={**size.config, "brands": learned, "seed": seed}, embedded=[data],
        out=champion, progress=progress, should_stop=should_stop,
    )  # fmt: skip
    looks = _with_titles(data, looks)
    training, closed, open_ = (
        _known(data, data.rows(*splits), looks, new)
        for splits in (("train", "val"), ("closed",), ("open",))
    )
    return World(new, None, training, closed, open_, champion)


def drawn(world: World, setting: str, rng: np.random.Generator) -> Material:
    """One draw of what is given and what the pool holds, by `SETTINGS`."""
    dials, brands = SETTINGS[setting], len(world.brands)
    known, pool = _shared_out(world.training, brands, int(dials["positives"]), rng)
    if world.pool is not None:
        pool = world.pool.only(
            rare_positives(
                world.pool.labelled.answers, brands=brands, share=dials["share"], rng=rng
            )
        )
    closed = world.closed.only(np.flatnonzero(world.closed.labelled.answers < brands))
    open_ = world.open_.only(np.flatnonzero(world.open_.labelled.answers == brands))
    online = np.arange(len(open_.rows)) % ONLINE == 0
    online, open_ = (open_.only(np.flatnonzero(mine)) for mine in (online, ~online))
    tested = [*closed.rows, *open_.rows]
    return Material(
        brands=brands,
        given=known.labelled,
        pool=pool.labelled,
        closed=closed.labelled,
        open_=open_.labelled.looks,
        online=online.labelled.looks,
        images=Images(world.brands, known.rows, pool.rows, tested, world.champion),
    )


def _looks(
    data: Manifest,
    *,
    config: Mapping[str, Any],
    embedded: Sequence[Manifest],
    out: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, np.ndarray]:
    """The embedding of each image, by sha256, of a classifier that is trained into `out`."""
    with progress.part(0.0, 0.7) as part:
        train(
            kind="classifier", manifest=data.path, out=out, config=dict(config), init=None,
            progress=part, should_stop=should_stop,
        )  # fmt: skip
    looks: dict[str, np.ndarray] = {}
    for i, one in enumerate(embedded):
        result = out.with_name(f"{out.name}-looks-{i}.parquet")
        with progress.part(
            0.7 + 0.3 * i / len(embedded), 0.7 + 0.3 * (i + 1) / len(embedded)
        ) as part:
            embed(
                model=out, manifest=one.path, out=result, progress=part, should_stop=should_stop
            )  # fmt: skip
        looks |= {
            row["sha256"]: np.array(row["embedding"], np.float32)
            for row in pq.read_table(result).to_pylist()
            if row["embedding"] is not None
        }
    return looks


def _with_titles(data: Manifest, looks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    rows = [row for row in data.table.to_pylist() if row["sha256"] in looks]
    of_images = np.stack([looks[row["sha256"]] for row in rows])
    both = beside(of_images, title_looks([row["title"] or "" for row in rows]))
    return {row["sha256"]: look for row, look in zip(rows, both, strict=True)}


def _brands(data: Manifest) -> list[str]:
    return sorted(set(data.rows("closed")["brand"].to_pylist()) - {None})


def _known(
    data: Manifest, rows: pa.Table, looks: Mapping[str, np.ndarray], brands: Sequence[str]
) -> Known:
    """Rows whose answer is known and whose image could be read; every other brand is none."""
    place = {brand: i for i, brand in enumerate(brands)}
    paths = image_paths(data, rows["image"].to_pylist())
    known, of, answers = [], [], []
    for row, path in zip(rows.to_pylist(), paths, strict=True):
        if row["answer"] == "unlabelled" or row["sha256"] not in looks:
            continue
        brand = row["brand"] if row["answer"] == "brand" and row["brand"] in place else None
        known.append(
            {"image": str(path), "sha256": row["sha256"], "group": row["group"]}
            | {"split": row["split"], "answer": "brand" if brand else "none", "brand": brand}
        )
        of.append(looks[row["sha256"]])
        answers.append(len(brands) if brand is None else place[brand])
    return Known(known, Labelled(np.stack(of), np.array(answers)))


def _shared_out(
    training: Known, brands: int, positives: int, rng: np.random.Generator
) -> tuple[Known, Known]:
    """What is given: so many positives of each brand, weak as a source's are, and a few images
    that show none; and the rest."""
    places = []
    for brand in range(brands + 1):
        mine = rng.permutation(np.flatnonzero(training.labelled.answers == brand))
        places.append(mine[: positives if brand < brands else GIVEN_NEGATIVES])
    known = np.concatenate(places)
    rest = np.setdiff1d(np.arange(len(training.rows)), known)
    return training.only(known), training.only(rest)
