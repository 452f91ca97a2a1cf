"""Brands left out of training: found by one, three or five crops of each, with embeddings of a
network of logos and of one of whole pictures, against a detector that was trained with them."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ml.artifact import Artifact
from ml.bench.detector_figures import Pictures, figures_of_brands
from ml.enrolment.crops import write_crops
from ml.enrolment.enrol import enrol
from ml.manifest import Manifest, write_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress
from ml.train import train

SHOTS = (1, 3, 5)
LEFT_OUT = 4  # one brand in so many
# Learned on whole pictures, a network sees a crop as it would see a product up close.
EMBEDDERS: dict[str, dict[str, Any]] = {"crops": {"size": 64}, "pictures": {}}


def enrolments(
    world: Manifest,
    pictures: Pictures,
    retrained: Artifact,
    config: Mapping[str, Any],
    folder: Path,
    *,
    progress: Progress,
    should_stop: ShouldStop,
) -> list[dict[str, Any]]:
    """A row for each embedder and number of crops, and one of `retrained`.

    Args:
        config: of the detector `retrained`, with which the one that finds logos is trained too.
    """
    new = retrained.labels[::LEFT_OUT]
    known = _without(world, new, folder / "known")

    def fit(kind: str, manifest: Manifest, name: str, **settings: Any) -> None:
        train(
            kind=kind, manifest=manifest.path, out=folder / name, init=None,
            config=settings, progress=progress, should_stop=should_stop,
        )  # fmt: skip

    fit("detector", known, "finder", **config, class_agnostic=True)
    crops = write_crops(
        manifest=known.path, out=folder / "crops", progress=progress, should_stop=should_stop
    )
    rows = []
    for learned_on, manifest in (("crops", crops), ("pictures", known)):
        settings = EMBEDDERS[learned_on] | {"seed": config["seed"]}
        fit("classifier", manifest, f"embedder-{learned_on}", **settings)
        for shots in SHOTS:
            enrolled = enrol(
                finder=folder / "finder", embedder=folder / f"embedder-{learned_on}",
                manifest=world.path, brands=new, shots=shots,
                out=folder / f"enrolled-{learned_on}-{shots}",
                progress=progress, should_stop=should_stop,
            )  # fmt: skip
            figures = figures_of_brands(enrolled, new, pictures, should_stop)
            rows.append({"name": f"embedded as {learned_on}", "crops": shots} | figures)
    figures = figures_of_brands(retrained, new, pictures, should_stop)
    return [*rows, {"name": "trained with them", "crops": None} | figures]


def _without(world: Manifest, brands: Collection[str], out: Path) -> Manifest:
    """The world without the training rows that show one of the brands."""
    rows = world.rows("train").to_pylist()
    kept = [row for row in rows if row["brand"] not in brands]
    folder = world.path.parent
    return write_manifest([row | {"image": str(folder / row["image"])} for row in kept], out)
