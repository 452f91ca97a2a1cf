from pathlib import Path

import pytest

from ml.artifact import Artifact
from ml.export.run import export
from ml.manifest import Manifest, write_manifest
from ml.progress import Progress
from ml.train import train
from tests.ml.small_world import QUICK, write_world


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_world(tmp_path_factory.mktemp("small_world"))


@pytest.fixture(scope="session")
def small_classifier(small_world: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return train_quickly(small_world, tmp_path_factory.mktemp("small_classifier"))


@pytest.fixture(scope="session")
def small_variation(small_world: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return train_quickly(small_world, tmp_path_factory.mktemp("small_variation"), kind="variation")


@pytest.fixture(scope="session")
def small_detector(small_world: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Hardly trained, but of the same brands, and it tells every box however unlikely."""
    rows = small_world.rows("train").to_pylist()
    whole = dict.fromkeys(("x1", "y1"), 4.0) | dict.fromkeys(("x2", "y2"), 44.0)
    for row in rows:
        row["boxes"] = [whole | {"brand": row["brand"]}] if row["brand"] else []
        row["image"] = str(small_world.path.parent / row["image"])
    config = {
        "width": 0.125, "size": 64, "batch_size": 8, "steps": 2, "threads": 1,
        "score_floor": 0.0, "max_boxes": 5,
    }  # fmt: skip
    return train(
        kind="detector",
        manifest=write_manifest(rows, tmp_path_factory.mktemp("boxed")).path,
        out=tmp_path_factory.mktemp("small_detector"),
        config=config,
        init=None,
        progress=Progress(quiet=True),
        should_stop=lambda: False,
    )


@pytest.fixture(scope="session")
def small_exports(
    small_classifier: Artifact,
    small_variation: Artifact,
    small_detector: Artifact,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Artifact]:
    """By kind, the same three models as ONNX files."""
    return {
        one.kind: export(
            model=one.directory,
            out=tmp_path_factory.mktemp(f"{one.kind}_onnx"),
            int8=None,
            progress=Progress(quiet=True),
        )
        for one in (small_classifier, small_variation, small_detector)
        if one.directory is not None
    }


def train_quickly(manifest: Manifest, out: Path, kind: str = "classifier", **config) -> Artifact:
    return train(
        kind=kind,
        manifest=manifest.path,
        out=out,
        config=QUICK | config,
        init=None,
        progress=Progress(quiet=True),
        should_stop=lambda: False,
    )
