from pathlib import Path

import pytest

from ml.artifact import Artifact
from ml.manifest import Manifest
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
