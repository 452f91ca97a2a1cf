"""What a dataset changed against the version before it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from active_learning.models import DatasetVersion
from ml.manifest import Manifest

COLUMNS = ("sha256", "answer", "brand", "boxes", "variation", "split")
EXAMPLES = 6


def changes_since(parent: DatasetVersion | None, manifest: Manifest) -> dict[str, Any]:
    """`{"added", "removed", "answers", "boxes", "variation", "split": rows, "examples": {"added",
    "removed": [sha256], "answers": [{"sha256", "before", "after"}]}}`; empty without a parent, or
    where its manifest is no longer there."""
    if parent is None or not Path(parent.path).is_file():
        return {}
    now = manifest.table.select(list(COLUMNS))
    before = pq.read_table(parent.path, columns=list(COLUMNS))
    place = pc.index_in(now["sha256"], value_set=before["sha256"].combine_chunks())
    kept = now.filter(pc.is_valid(place))
    was = before.take(place.drop_null())
    added = now.filter(pc.is_null(place))["sha256"]
    gone = pc.invert(pc.is_in(before["sha256"], value_set=now["sha256"].combine_chunks()))
    removed = before.filter(gone)["sha256"]
    differs = {name: _differs(was[name], kept[name]) for name in COLUMNS[1:]}
    answered = pc.or_(differs["answer"], differs["brand"])
    return {
        "added": len(added),
        "removed": len(removed),
        "answers": _count(answered),
        **{name: _count(differs[name]) for name in ("boxes", "variation", "split")},
        "examples": {
            "added": _some(added),
            "removed": _some(removed),
            "answers": _examples(was.filter(answered), kept.filter(answered)),
        },
    }


def _differs(before: pa.ChunkedArray, after: pa.ChunkedArray) -> pa.Array:
    if not pa.types.is_nested(before.type):
        unknown = pc.not_equal(pc.is_null(before), pc.is_null(after))
        return pc.or_(unknown, pc.fill_null(pc.not_equal(before, after), False))
    # Arrow does not compare lists.
    pairs = zip(before.to_pylist(), after.to_pylist(), strict=True)
    return pa.array([old != new for old, new in pairs], pa.bool_())


def _count(flags: pa.Array) -> int:
    return pc.sum(flags).as_py() or 0


def _some(hashes: pa.ChunkedArray) -> list[str]:
    """A few, as good as random and always the same."""
    return hashes.take(pc.array_sort_indices(hashes)[:EXAMPLES]).to_pylist()


def _examples(before: pa.Table, after: pa.Table) -> list[dict[str, str]]:
    some = pc.array_sort_indices(after["sha256"])[:EXAMPLES]
    pairs = zip(before.take(some).to_pylist(), after.take(some).to_pylist(), strict=True)
    return [
        {"sha256": new["sha256"], "before": _said(old), "after": _said(new)} for old, new in pairs
    ]


def _said(row: dict[str, Any]) -> str:
    return row["brand"] or row["answer"]
