"""What a fusion is fitted on: rows that none of its models was trained on, and their scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml import models
from ml.artifact import Artifact
from ml.errors import InputError
from ml.evaluate.scored import fitting_half
from ml.manifest import Manifest, group_keys
from ml.models.base import ShouldStop
from ml.models.brand_rows import BACKGROUND, KNOWN
from ml.models.fusion.scores import BRAND_MODELS, Parts, align
from ml.models.samples import ENOUGH_TO_CALIBRATE, held_out
from ml.predict import inputs_of, score_all
from ml.progress import Progress


@dataclass(frozen=True)
class Material:
    """Rows and what the models say of them.

    Attributes:
        chosen: [n] the column of the brand shown; −1 where it is none of them.
        is_open: bool [n]: from the open set's fitting half, and so a random sample.
        group: object [n] near-duplicates have one name.
        attacks: see `Predictions`; None where no model tells any.
    """

    parts: Parts
    chosen: np.ndarray
    is_open: np.ndarray
    group: np.ndarray
    attacks: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Material":
        attacks = None if self.attacks is None else self.attacks[rows]
        return Material(
            self.parts.take(rows), self.chosen[rows], self.is_open[rows], self.group[rows], attacks
        )


def gather(
    artifacts: Sequence[Artifact],
    manifest: Manifest,
    rows: pa.Table,
    *,
    progress: Progress,
    should_stop: ShouldStop,
) -> Material:
    """Have the models score rows of the manifest, and bring that to one shape.

    Raises:
        InputError: an image cannot be read.
        Cancelled: `should_stop` became true.
    """
    brands = sorted({brand for artifact in artifacts for brand in _brands_of(artifact)})
    predictors = {artifact.kind: models.load(artifact) for artifact in artifacts}
    inputs = inputs_of(manifest, rows, predictors)
    found = score_all(predictors, inputs, progress=progress, should_stop=should_stop)
    labels = {kind: predictor.labels for kind, predictor in predictors.items()}
    titled = np.array([bool(title) for title in rows["title"].to_pylist()], bool)
    is_open = np.array([split == "open" for split in rows["split"].to_pylist()], bool)
    parts = align(found, labels, brands=brands, titled=titled)
    group = np.array(group_keys(rows), dtype=object)
    attacks = next((one.attacks for one in found.values() if one.attacks is not None), None)
    return Material(parts, chosen_of(rows, brands), is_open, group, attacks)


def held_out_by_all(artifacts: Sequence[Artifact]) -> float:
    """The share of the training groups that none of these models trained on: by hash, the groups
    of a smaller share are among those of a larger."""
    return min((artifact.config["holdout"] for artifact in artifacts), default=0.0)


def needs_held_out(manifest: Manifest) -> bool:
    """Whether `val` has too few answers to fit a fusion on."""
    return len(_answered(manifest.rows("val"))) < ENOUGH_TO_CALIBRATE


def fitting_rows(manifest: Manifest, *, holdout: float) -> pa.Table:
    """Rows that models do not train on: those answered of `val`, and of the training groups they
    hold out while there are few of those; and the half of the open set that thresholds are fitted
    on. Of that what nobody answered counts as none: it is a random sample, of which hardly any
    shows a brand.

    Args:
        holdout: see `held_out_by_all`.

    Raises:
        InputError: one of the two sides has none.
    """
    own = _answered(manifest.rows("val"))
    if needs_held_out(manifest):
        rest = _answered(manifest.rows("train"))
        own = pa.concat_tables([own, rest.filter(pa.array(held_out(group_keys(rest), holdout)))])
    opened = manifest.rows("open")
    opened = opened.filter(pa.array(fitting_half(opened), pa.bool_()))
    if "brand" not in own["answer"].to_pylist() or not len(opened):
        raise InputError(
            f"{manifest.path}: a fusion needs rows with a brand that its models were not trained "
            "on (split val) and open rows"
        )
    return pa.concat_tables([own, opened])


def chosen_of(rows: pa.Table, brands: list[str]) -> np.ndarray:
    """[n] the column of each row's brand; −1 where it shows none of them."""
    place = {brand: i for i, brand in enumerate(brands)}
    pairs = zip(rows["answer"].to_pylist(), rows["brand"].to_pylist(), strict=True)
    return np.array([place.get(brand, -1) if answer == "brand" else -1 for answer, brand in pairs])


def _brands_of(artifact: Artifact) -> list[str]:
    if artifact.kind not in BRAND_MODELS:
        return []
    return [label for label in artifact.labels if label != BACKGROUND]


def _answered(table: pa.Table) -> pa.Table:
    return table.filter(pa.array([a in KNOWN for a in table["answer"].to_pylist()], pa.bool_()))
