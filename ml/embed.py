"""Embeddings of images, for what compares pictures: one file, written in one step."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from ml.errors import Cancelled, InputError
from ml.files import replacing
from ml.images import cores, open_image, read_ahead
from ml.manifest import read_manifest
from ml.models.base import Predictor, ShouldStop
from ml.pipeline import BATCH
from ml.predict import load_models
from ml.progress import Progress

NO_EMBEDDINGS = "this model gives no embeddings: a classifier does"
SCHEMA = pa.schema([("sha256", pa.string()), ("embedding", pa.list_(pa.float32()))])


def embed(
    *, model: Path, manifest: Path, out: Path, progress: Progress, should_stop: ShouldStop
) -> int:
    """Write `out`: a row an image of the manifest with its sha256 and embedding, null where the
    image cannot be read. Returns how many could be.

    Raises:
        InputError: the model gives no embeddings, an image is a URL, or none can be read.
        Cancelled: `should_stop` became true; nothing is written.
    """
    data = read_manifest(manifest)
    names = data.table["image"].to_pylist()
    if remote := next((name for name in names if "://" in name), None):
        raise InputError(f"{data.path}: images are read from local folders only, not {remote}")
    (predictor,) = load_models([model]).values()
    if not isinstance(predictor, Predictor):
        raise InputError(NO_EMBEDDINGS)
    paths = [data.path.parent / name for name in names]
    found: list[list[float] | None] = []
    batches = (paths[start : start + BATCH] for start in range(0, len(paths), BATCH))
    done = read_ahead(
        lambda some: _embeddings(predictor, some), batches, readers=cores(), ahead=2 * cores()
    )
    for vectors in done:
        if should_stop():
            done.close()
            raise Cancelled
        found += vectors
        progress.report("embed", len(found) / len(paths))
    readable = sum(row is not None for row in found)
    if paths and not readable:
        raise InputError(f"none of {len(paths)} images can be read, the first is {paths[0]}")
    table = pa.table([data.table["sha256"], pa.array(found, SCHEMA.types[1])], schema=SCHEMA)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        pq.write_table(table, partial)
    progress.report("done", 1.0, images=len(found), unreadable=len(found) - readable)
    return readable


def _open(path: Path) -> Image.Image | None:
    try:
        return open_image(path)
    except InputError:
        return None  # said in the result: one lost file does not keep the others from it


def _embeddings(predictor: Predictor, paths: Sequence[Path]) -> list[list[float] | None]:
    batch = [_open(path) for path in paths]
    readable = [image for image in batch if image is not None]
    if not readable:
        return [None] * len(batch)
    vectors = predictor.predict(readable).embeddings
    if vectors is None:
        raise InputError(NO_EMBEDDINGS)
    rows = iter(np.asarray(vectors, np.float32).tolist())
    return [None if image is None else next(rows) for image in batch]
