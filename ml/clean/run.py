"""Find the labels of a manifest that are probably wrong, and write a manifest without them."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.clean.duplicates import contradictions, near_duplicates
from ml.clean.finds import KINDS, Judged, find_table, judge_labels
from ml.clean.folds import Folds, make_folds, training_rows
from ml.clean.out_of_fold import KIND, out_of_fold
from ml.errors import InputError
from ml.files import replacing, write_atomically
from ml.images import image_paths
from ml.manifest import Manifest, read_manifest, rebased, write_manifest
from ml.models import model
from ml.models.base import ShouldStop, parse_config
from ml.progress import Progress

SUMMARY, ASKED = "clean.json", "asked.json"
FINDS, JUDGED = "finds.parquet", "judged.parquet"
# What an answer says besides the brand: in doubt with it.
IN_DOUBT = ("brand", "also", "boxes", "has_logo", "risk", "attack", "licensed")


def clean(
    *,
    manifest: Path,
    out: Path,
    folds: int,
    config: Mapping[str, Any],
    cleaned: Path | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, Any]:
    """Write to `out` `finds.parquet` (the suspected rows), `judged.parquet` (all judged ones with
    their scores) and, last, `clean.json`; returns what that says. The given manifest stays as it
    is.

    Args:
        config: of the classifier that each fold trains.
        cleaned: a folder for the manifest in which the suspected rows are unlabelled.

    Raises:
        InputError: bad input, or `out` holds another cleaning.
        Cancelled: `should_stop` became true; called again with the same arguments it resumes.
    """
    started = time.monotonic()
    if folds < 2:
        raise InputError("--folds must be at least 2")
    parsed: Any = parse_config(model(KIND).Config, config)
    data = read_manifest(manifest)
    rows = training_rows(data)
    paths = image_paths(data, rows["image"].to_pylist())
    with progress.part(0.0, 0.05) as part:
        near = near_duplicates(paths, progress=part, should_stop=should_stop)
    split = make_folds(rows, near, count=folds, brands=parsed.brands, seed=parsed.seed)
    _claim(out, {"manifest": data.sha256, "folds": folds, "config": dict(config)})
    with progress.part(0.05, 0.95) as part:
        probabilities = out_of_fold(
            data, split, config=config, out=out, progress=part, should_stop=should_stop
        )
    judged = judge_labels(split, probabilities)
    progress.report("compare near-duplicates", 0.95)
    given = np.where(split.judged, split.given, -1)
    pairs = contradictions(
        paths, near, given, rows["also"].to_pylist(), split.labels, should_stop=should_stop
    )
    finds = find_table(judged, pairs)
    _write_table(finds, out / FINDS)
    _write_table(_judged_table(judged), out / JUDGED)
    summary = _summary(data, split, judged, finds)
    if cleaned is not None:
        suspected = set(finds["image"].to_pylist())
        summary["cleaned"] = str(_write_cleaned(data, suspected, cleaned).path)
    summary["seconds"] = round(time.monotonic() - started, 3)
    write_atomically(out / SUMMARY, json.dumps(summary, indent=2, ensure_ascii=False))
    return summary


def unlabelled(rows: pa.Table, chosen: np.ndarray) -> pa.Table:
    """The rows with those `chosen`, bool [n], as nobody had answered them; what was ruled out
    stays so."""
    table = rows.to_pylist()
    for i in np.flatnonzero(chosen):
        table[i] |= dict.fromkeys(IN_DOUBT) | {"answer": "unlabelled"}
    return pa.Table.from_pylist(table, schema=rows.schema)


def _claim(out: Path, asked: dict[str, Any]) -> None:
    """Note in `out` what is being done there.

    Raises:
        InputError: it is something else.
    """
    path, text = out / ASKED, json.dumps(asked, indent=2, ensure_ascii=False, sort_keys=True)
    if path.is_file():
        if path.read_text() != text:
            raise InputError(f"{out}: holds another cleaning; choose an empty folder")
        return
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)


def _write_cleaned(data: Manifest, images: set[str], directory: Path) -> Manifest:
    splits, names = (data.table[name].to_pylist() for name in ("split", "image"))
    chosen = np.isin(splits, ["train", "val"]) & np.isin(names, sorted(images))
    table = rebased(data.table, before=data.path.parent, after=directory)
    return write_manifest(unlabelled(table, chosen), directory)


def _judged_table(judged: Judged) -> pa.Table:
    rows = judged.folds.rows.select(["sha256", "image"]).take(pa.array(judged.index))
    names = np.array(judged.folds.labels, dtype=object)
    columns = {
        "given": pa.array(names[judged.given], pa.string()),
        "suggested": pa.array(names[judged.suggested], pa.string()),
        "score": pa.array(judged.score, pa.float32()),
        "fold": pa.array(judged.folds.fold[judged.index], pa.int16()),
    }
    for name, column in columns.items():
        rows = rows.append_column(name, column)
    return rows.sort_by([("score", "descending")])


def _summary(data: Manifest, folds: Folds, judged: Judged, finds: pa.Table) -> dict[str, Any]:
    kinds = finds["kind"].to_pylist()
    agreed = judged.probabilities.argmax(axis=1) == judged.given
    answered = sum(answer != "unlabelled" for answer in folds.rows["answer"].to_pylist())
    return {
        "manifest_sha256": data.sha256,
        "folds": folds.count,
        "rows": answered,
        "judged": len(judged.index),
        "brands": len(folds.labels) - 1,
        "agreement": round(float(agreed.mean()), 4),
        "finds": {kind: kinds.count(kind) for kind in KINDS},
        "images": len(set(finds["image"].to_pylist())),
    }


def _write_table(table: pa.Table, path: Path) -> None:
    with replacing(path) as partial:
        pq.write_table(table, partial)
