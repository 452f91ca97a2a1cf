"""Score every image of a split into Parquet shards. A shard is written in one step, so its
presence means it is complete; a stopped scan goes on with the first that is missing."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.artifact import META, file_sha256
from ml.errors import InputError
from ml.files import replacing, write_atomically
from ml.manifest import Manifest, read_manifest
from ml.models.attacks import ATTACKS, attacks_told
from ml.models.base import AnyPredictor, Predictions, ShouldStop
from ml.pipeline import Pipeline
from ml.predict import inputs_of, load_models, score_all
from ml.progress import Progress

SUMMARY = "scan.json"
TOP = 5
IDENTITY = b"touchstone.scan"

FOUND_BOX = pa.struct(
    [(side, pa.float32()) for side in ("x1", "y1", "x2", "y2")]
    + [("brand", pa.string()), ("score", pa.float32())]
)
ATTACK_CHANCES = pa.struct([(name, pa.float32()) for name in ATTACKS])
ARRANGEMENT = pa.struct([(name, pa.float32()) for name in ("none", "collage", "stack")])


def scan(
    *,
    models: Sequence[Path],
    manifest: Path,
    out: Path,
    split: str,
    shard_size: int,
    progress: Progress,
    should_stop: ShouldStop,
    cascade: bool = False,
    workers: int | None = None,
) -> dict[str, Any]:
    """Write `part-00000.parquet` … and, last, `scan.json`; returns what that says.

    Args:
        cascade, workers: see `score`. In a cascade `detector_boxes` is null where the detector did
            not look.

    Raises:
        InputError: no rows, a missing or broken image, or `out` holds shards of another scan.
        Cancelled: `should_stop` became true; finished shards stay.
    """
    if shard_size < 1:
        raise InputError("--shard-size must be at least 1")
    if workers is not None and workers < 1:
        raise InputError("--workers must be at least 1")
    started = time.monotonic()
    data = read_manifest(manifest)
    rows = data.rows(split)
    if not len(rows):
        raise InputError(f"{data.path}: no rows with split {split}")
    identity = _identity(models, data, split, shard_size, cascade=cascade)
    shards = [out / f"part-{i:05d}.parquet" for i in range(-(-len(rows) // shard_size))]
    missing = [i for i, shard in enumerate(shards) if not _is_done(shard, identity)]
    predictors = load_models(models)
    inputs = inputs_of(data, rows, predictors)
    Pipeline(predictors, cascade=cascade)  # says what is wrong before anything is written
    out.mkdir(parents=True, exist_ok=True)
    for i in missing:
        progress.report("scan", i / len(shards))
        start = i * shard_size
        found = score_all(
            predictors,
            inputs.slice(start, start + shard_size),
            cascade=cascade,
            workers=workers,
            should_stop=should_stop,
        )
        table = _shard(rows.slice(start, shard_size), predictors, found)
        with replacing(shards[i]) as partial:
            write_shard(table.replace_schema_metadata({IDENTITY: identity}), partial)
    summary = {
        "manifest_sha256": data.sha256,
        "split": split,
        "cascade": cascade,
        "models": {kind: str(path) for kind, path in zip(predictors, models, strict=True)},
        "shards": [shard.name for shard in shards],
        "images": len(rows),
        "seconds": round(time.monotonic() - started, 3),
    }
    write_atomically(out / SUMMARY, json.dumps(summary, indent=2))
    progress.report("done", 1.0, images=len(rows), seconds=summary["seconds"])
    return summary


def write_shard(table: pa.Table, path: Path) -> None:
    """Only names of brands by a dictionary: looked up in one too, embeddings, which are most of a
    shard and never repeat, would take five times as long to read."""
    names = [f"{name}.list.element" for name in table.column_names if name.endswith("_brands")]
    pq.write_table(table, path, use_dictionary=names)


def _shard(
    rows: pa.Table,
    predictors: Mapping[str, AnyPredictor],
    said: Mapping[str, Predictions],
) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "sha256": rows["sha256"].combine_chunks(),
        "group": rows["group"].combine_chunks(),
    }
    for kind, found in said.items():
        columns |= COLUMNS[kind](predictors[kind].labels, found)
    return pa.table(columns)


def classifier_columns(labels: Sequence[str], found: Predictions) -> dict[str, pa.Array]:
    """The best brands, their probabilities, the background's, the embedding, and, where it tells
    them, the chances of attacks."""
    embeddings = found.embeddings
    assert embeddings is not None  # noqa: S101 — a classifier gives them
    halves = pa.array(embeddings.astype(np.float16).reshape(-1), pa.float16())
    ends = np.arange(len(embeddings) + 1, dtype=np.int32) * embeddings.shape[1]
    columns = _brand_columns("classifier", labels, found) | {
        "embedding": pa.ListArray.from_arrays(pa.array(ends), halves),
    }
    if found.attacks is not None:
        rows = [attacks_told(row) for row in found.attacks]
        columns["classifier_attacks"] = pa.array(rows, ATTACK_CHANCES)
    return columns


def text_columns(labels: Sequence[str], found: Predictions) -> dict[str, pa.Array]:
    """The best brands by the title, their probabilities, and the background's."""
    return _brand_columns("text", labels, found)


def fusion_columns(labels: Sequence[str], found: Predictions) -> dict[str, pa.Array]:
    """The best brands by all models together, their probabilities, and the background's."""
    return _brand_columns("fusion", labels, found)


def _brand_columns(kind: str, labels: Sequence[str], found: Predictions) -> dict[str, pa.Array]:
    scores = _probabilities(found)
    order = np.argsort(-scores[:, :-1], axis=1, kind="stable")[:, :TOP]
    names = np.array(labels, dtype=object)[order]
    return {
        f"{kind}_brands": pa.array(names.tolist(), pa.list_(pa.string())),
        f"{kind}_scores": pa.array(
            np.take_along_axis(scores, order, axis=1).tolist(), pa.list_(pa.float32())
        ),
        f"{kind}_none": pa.array(scores[:, -1], pa.float32()),
    }


def detector_columns(labels: Sequence[str], found: Predictions) -> dict[str, pa.Array]:
    """The boxes, best first; null where the detector did not look."""
    boxes = [
        None if of_image is None else [vars(box) for box in of_image]
        for of_image in found.boxes or ()
    ]
    return {"detector_boxes": pa.array(boxes, pa.list_(FOUND_BOX))}


def variation_columns(labels: Sequence[str], found: Predictions) -> dict[str, pa.Array]:
    """The three probabilities, and 1 − none."""
    scores = _probabilities(found)
    rows = [dict(zip(labels, map(float, row), strict=True)) for row in scores]
    none = scores[:, list(labels).index("none")]
    return {
        "variation": pa.array(rows, ARRANGEMENT),
        "variation_score": pa.array(1 - none, pa.float32()),
    }


def _probabilities(found: Predictions) -> np.ndarray:
    assert found.probabilities is not None  # noqa: S101 — all but a detector give them
    return found.probabilities


COLUMNS = {
    "classifier": classifier_columns,
    "detector": detector_columns,
    "variation": variation_columns,
    "text": text_columns,
    "fusion": fusion_columns,
}


def _identity(
    models: Sequence[Path], data: Manifest, split: str, shard_size: int, *, cascade: bool
) -> bytes:
    """A hash of all that decides what the shards hold."""
    parts = [data.sha256, split, str(shard_size)] + ["cascade"] * cascade
    parts += [file_sha256(path / META) for path in models if (path / META).is_file()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest().encode()


def _is_done(shard: Path, identity: bytes) -> bool:
    if not shard.exists():
        return False
    found = (pq.read_schema(shard).metadata or {}).get(IDENTITY)
    if found != identity:
        raise InputError(f"{shard}: belongs to another scan; choose an empty folder")
    return True
