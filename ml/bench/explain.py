"""Whether heat maps lie on what tells the brand: the pointing game (Zhang et al., ECCV 2016) and
the share of a map's energy on the feature, in generated pictures where its place is known; against
chance, against the middle of the picture, where goods are, and against networks of shuffled weights
(after Adebayo et al., NeurIPS 2018), whose maps must tell nothing."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.bench.feature_places import KINDS, Feature, closed_features
from ml.bench.heat_maps import IN_USE, draw_maps, middle, shuffled
from ml.errors import Cancelled
from ml.evaluate.bootstrap import Design
from ml.evaluate.intervals import share_of
from ml.evaluate.slices import SIZES as FEATURE_SIZES
from ml.explain.heat import BATCH, onto_image, to_inputs
from ml.images import image_paths, open_image
from ml.manifest import Manifest
from ml.models.base import ShouldStop
from ml.models.classifier import load
from ml.models.net_predictor import NetPredictor
from ml.progress import Progress
from ml.synth import generate
from ml.train import train

SIZES = {"brands": 8, "train": 900, "closed": 300}
QUICK = {"brands": 4, "train": 600, "closed": 200}
EPOCHS = 24  # a classifier trained for less recognises hardly any marks
PIXELS = 128
CENTRE, CHANCE = "centre", "chance"
SHUFFLED = "shuffled weights: "
BASELINES = (IN_USE, CHANCE, CENTRE, SHUFFLED + IN_USE)


def run(*, quick: bool, seeds: int, progress: Progress, should_stop: ShouldStop) -> dict[str, Any]:
    """`features`: by kind of feature, of all and of correctly recognised pictures: how often each
    map's highest point is on the feature (`hit`) and how much of its energy is (`energy`);
    `by_size`: the same of marks alone by size; `methods`: other maps than the default. Intervals
    are over all seeds' pictures; `seeds`: the default map's figures of each."""
    rows: list[dict[str, Any]] = []
    for seed in range(1, seeds + 1):
        with (
            tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder,
            progress.part((seed - 1) / seeds, seed / seeds) as part,
        ):
            rows += _measure(seed, Path(folder), part, should_stop, quick=quick)
    recognised = [row for row in rows if row["recognised"]]
    mark = [row for row in recognised if row["kind"] == "mark alone"]
    by_seed = {seed: [r for r in mark if r["seed"] == seed] for seed in range(1, seeds + 1)}
    return {
        "features": {
            kind: {
                name: _figures([row for row in of if row["kind"] == kind], BASELINES)
                for name, of in (("recognised", recognised), ("all", rows))
            }
            for kind in KINDS
        },
        "by_size": _by_size(mark, BASELINES),
        "methods": _figures(mark, list(rows[0]["energy"])),
        "seeds": [{"seed": seed, **_figures(of, (IN_USE,))} for seed, of in by_seed.items()],
        "sizes": QUICK if quick else SIZES,
        "pixels": PIXELS,
    }


def _measure(
    seed: int, folder: Path, progress: Progress, should_stop: ShouldStop, *, quick: bool
) -> list[dict[str, Any]]:
    """One row a feature."""
    sizes = QUICK if quick else SIZES
    with progress.part(0.0, 0.2) as part:
        world = generate(
            **sizes, open_=0, business=0, pool=0, size=PIXELS, seed=seed,
            out=folder / "world", progress=part, should_stop=should_stop,
        )  # fmt: skip
    with progress.part(0.2, 0.9) as part:
        artifact = train(
            kind="classifier",
            manifest=world.path,
            out=folder / "classifier",
            config={"epochs": EPOCHS, "seed": seed},
            init=None,
            progress=part,
            should_stop=should_stop,
        )
    predictor = load(artifact)
    progress.report("find features", 0.9)
    features = closed_features(world, brands=sizes["brands"], size=PIXELS, seed=seed)
    rows = []
    for start in range(0, len(features), BATCH):
        if should_stop():
            raise Cancelled
        progress.report("explain", 0.92 + 0.08 * start / len(features))
        batch = features[start : start + BATCH]
        rows += list(_rows(batch, world, predictor, first=start))
    return [row | {"seed": seed, "group": f"{seed}/{row['group']}"} for row in rows]


def _rows(
    features: Sequence[Feature], world: Manifest, predictor: NetPredictor, *, first: int
) -> Iterator[dict[str, Any]]:
    names = [feature.row["image"] for feature in features]
    images = [open_image(path) for path in image_paths(world, names)]
    scores = predictor.predict(images).probabilities
    assert scores is not None  # noqa: S101
    brands = [feature.row["brand"] for feature in features]
    inputs = to_inputs(predictor, images)
    classes = torch.tensor([predictor.labels.index(brand) for brand in brands])
    classes = classes.to(inputs.device)
    squares = draw_maps(predictor.net, inputs, classes)
    for i, (feature, image) in enumerate(zip(features, images, strict=True)):
        mask = feature.mask(*image.size)
        maps = {name: onto_image(of[i], image) for name, of in squares.items()}
        # Other weights for every feature: one network may happen to like what marks look like.
        other = draw_maps(shuffled(predictor.net, first + i), inputs[i : i + 1], classes[i : i + 1])
        maps |= {SHUFFLED + name: onto_image(of[0], image) for name, of in other.items()}
        maps[CENTRE] = middle(*image.size)
        yield {
            "kind": feature.kind,
            "group": feature.row["group"],
            "recognised": predictor.labels[int(scores[i].argmax())] == brands[i],
            "area": float(mask.mean()),
            "hit": {name: bool(mask.flat[heat.argmax()]) for name, heat in maps.items()},
            "energy": {name: _share(heat, mask) for name, heat in maps.items()}
            | {CHANCE: float(mask.mean())},
        }


def _share(heat: np.ndarray, mask: np.ndarray) -> float:
    """Of the map's energy, on the feature; what chance gives where there is no heat at all."""
    total = float(heat.sum())
    return float(heat[mask].sum()) / total if total else float(mask.mean())


def _figures(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """By map, `hit` and `energy` with intervals. By chance a picture's highest point is on the
    feature as often as the feature's share of the area."""
    if not rows:
        return {}
    groups = np.array([row["group"] for row in rows])
    design = Design(np.zeros(len(rows), int), groups)
    found: dict[str, Any] = {"n": len(rows), "groups": len(np.unique(groups))}
    for name in names:
        energy = design.mean(np.array([row["energy"][name] for row in rows])).as_json()
        if name == CHANCE:
            found[name] = {"hit": energy, "energy": energy}
            continue
        hit = share_of(np.array([row["hit"][name] for row in rows]), groups)
        assert hit is not None  # noqa: S101
        found[name] = {"hit": hit.as_json(), "energy": energy}
    return found


def _by_size(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    limits = list(FEATURE_SIZES.values())
    place = np.searchsorted(limits, [row["area"] for row in rows], side="right")
    return {
        size: figures
        for i, size in enumerate(FEATURE_SIZES)
        if (figures := _figures([r for r, p in zip(rows, place, strict=True) if p == i], names))
    }
