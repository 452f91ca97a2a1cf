import csv
from functools import partial

import numpy as np
import pytest
from PIL import Image

from annotation.ingest import ingest_folder


def picture(seed: int, size=(96, 96)) -> Image.Image:
    """A picture unlike those of other seeds, with large shapes and small ones as photos have."""
    rng = np.random.default_rng(seed)
    sheet = np.full((size[1], size[0], 3), 128.0)
    for cells, weight in ((3, 0.6), (6, 0.36), (12, 0.24), (24, 0.15)):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        sheet += weight * (np.asarray(noise.resize(size, Image.Resampling.BICUBIC), float) - 128)
    return Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8))


def write_table(path, lines: list[dict]) -> None:
    columns = list(dict.fromkeys(name for line in lines for name in line))
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, columns, restval="")
        writer.writeheader()
        writer.writerows(lines)


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        },
    }


@pytest.fixture
def folder(tmp_path):
    """A folder to ingest, empty."""
    path = tmp_path / "incoming"
    path.mkdir()
    return path


@pytest.fixture
def ingest(folder):
    """Ingest `folder`, or another directory, with one process."""
    return partial(ingest_folder, **{"directory": folder, "source": "test", "processes": 1})
