"""The fusion of a release: what it joins, what it is fitted on, and whether it goes with others.

A fusion weighs the calibrated scores of the very models that it was fitted with, so it belongs to
one set of models: whenever the champion's change, its fusion is fitted anew (`fusing`).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.conf import settings

from active_learning import datasets
from active_learning.models import TRAINED_ALONE, DatasetVersion, ModelKind, ModelVersion, Release
from annotation.models import Image
from ml.artifact import identity, read_artifact
from ml.manifest import read_manifest, write_manifest

ROWS = "rows"  # the folder, in the run's, of what a fusion is fitted on
KNOW_BRANDS = {ModelKind.CLASSIFIER, ModelKind.DETECTOR, ModelKind.TEXT}


def joined(release: Release) -> list[ModelVersion]:
    """The models that a fusion of the release joins: all of them."""
    versions = (getattr(release, kind) for kind in TRAINED_ALONE)
    return [version for version in versions if version is not None]


def can_be_fitted(release: Release) -> bool:
    """Whether there are two models to join, one of which at least knows brands."""
    kinds = {version.kind for version in joined(release)}
    return len(kinds) > 1 and bool(kinds & KNOW_BRANDS)


def recipe(release: Release) -> dict[str, Any]:
    """`--config` of `ml train fusion`."""
    return {
        "models": [version.artifact for version in joined(release)],
        "flag_ratio": settings.FLAG_RATIO_BUDGET,
    }


def dataset_of(release: Release) -> DatasetVersion:
    """The newest that one of its models was trained on: by hash, all of them held out the same
    groups of it."""
    return max((version.dataset for version in joined(release)), key=lambda dataset: dataset.pk)


def write_rows(dataset: DatasetVersion, out: Path) -> Path:
    """What is known of the training images, and of the open ones, of which thresholds may flag
    their share. Returns the folder of the manifest."""
    known = read_manifest(Path(dataset.path)).table
    opened = datasets.evaluation_manifest().rows(Image.Split.OPEN)
    write_manifest(pa.concat_tables([known, opened]), out / ROWS)
    return out / ROWS


def goes_with(fusion: ModelVersion, models: Iterable[ModelVersion | None]) -> bool:
    """Whether it was fitted on these models and no others.

    Raises:
        InputError: an artifact is damaged.
    """
    fitted = read_artifact(fusion.artifact).calibration["models"]
    given = {one.kind: identity(read_artifact(one.artifact)) for one in models if one is not None}
    return bool(fitted == given)


def without_a_stranger(
    before: Mapping[str, ModelVersion | None], after: Mapping[str, ModelVersion | None]
) -> dict[str, ModelVersion | None]:
    """`after`, without the fusion that `before` had beside other models."""
    same = all(before[kind] == after[kind] for kind in TRAINED_ALONE)
    stays = same or after[ModelKind.FUSION] != before[ModelKind.FUSION]
    return dict(after) if stays else {**after, ModelKind.FUSION: None}
