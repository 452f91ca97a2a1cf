"""The manifest: a Parquet file, one row an image, written once and named by its hash.

A missing column means unknown. Only `none`, `other`, another brand as the answer, or the brand in
`excluded` makes a row a negative for a brand; `unlabelled` is a negative for nobody.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml.errors import InputError
from ml.files import replacing

BOX = pa.struct(
    [(side, pa.float32()) for side in ("x1", "y1", "x2", "y2")] + [("brand", pa.string())]
)

SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("sha256", pa.string()),
        ("title", pa.string()),
        ("answer", pa.string()),
        ("brand", pa.string()),
        ("also", pa.list_(pa.string())),
        ("excluded", pa.list_(pa.string())),
        ("boxes", pa.list_(BOX)),
        ("variation", pa.string()),
        ("has_logo", pa.bool_()),
        ("risk", pa.string()),
        ("attack", pa.string()),
        ("split", pa.string()),
        ("group", pa.string()),
        ("category", pa.string()),
        ("product", pa.string()),
        ("merchant", pa.string()),
        ("price", pa.float64()),
        ("licensed", pa.bool_()),
        ("source", pa.string()),
        ("labelled_at", pa.timestamp("us", tz="UTC")),
        ("brand_list", pa.string()),
        ("label_version", pa.string()),
    ]
)

ANSWERS = ("brand", "none", "other", "unlabelled")
SPLITS = ("train", "val", "pool", "closed", "open", "business")
VARIATIONS = ("none", "collage", "stack")
# All that training learns from: two datasets that differ in any of it never share a name.
IDENTITY = ("sha256", "title", "answer", "brand", "excluded", "boxes", "variation", "split")


@dataclass(frozen=True)
class Manifest:
    """A manifest in memory. `table` has every column of SCHEMA, in its order."""

    table: pa.Table
    path: Path
    sha256: str

    def __len__(self) -> int:
        return self.table.num_rows

    def rows(self, *splits: str) -> pa.Table:
        """The rows of the given splits (all rows when none is named)."""
        if not splits:
            return self.table
        wanted = pc.is_in(self.table["split"], pa.array(splits))
        return self.table.filter(wanted)


def conform(table: pa.Table) -> pa.Table:
    """Every column of SCHEMA, in order and of its type; a column not there becomes null."""
    columns = []
    for field in SCHEMA:
        if field.name in table.column_names:
            column = table[field.name]
            try:
                columns.append(column.cast(field.type))
            except pa.ArrowInvalid as error:
                raise InputError(f"column {field.name}: {error}") from error
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.table(columns, schema=SCHEMA)


def check(table: pa.Table) -> None:
    """Raise InputError naming the first rule that a row breaks."""
    for name, allowed in (("answer", ANSWERS), ("split", SPLITS), ("variation", VARIATIONS)):
        found = set(table[name].unique().to_pylist()) - {None, *allowed}
        if found:
            raise InputError(f"column {name}: unknown value {sorted(found)[0]!r}")
    if table["image"].null_count:
        raise InputError("column image: every row needs a path or URL")
    brand_rows = pc.equal(table["answer"], "brand")
    if table.filter(brand_rows)["brand"].null_count:
        raise InputError("answer is brand, but no brand is given")


def manifest_hash(table: pa.Table) -> str:
    """sha256 over the sorted rows' identity columns: arrival order does not matter."""
    rows = table.select(list(IDENTITY)).to_pylist()
    lines = sorted(
        json.dumps([row[name] for name in IDENTITY], sort_keys=True, ensure_ascii=False)
        for row in rows
    )
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()


def write_manifest(rows: pa.Table | Iterable[Mapping[str, Any]], directory: Path) -> Manifest:
    """Write `directory/<sha256>.parquet`, atomically; an equal one already there is kept.

    Args:
        rows: a table or dicts with columns of SCHEMA.
        directory: created when missing.

    Raises:
        InputError: a column or value is not one of the manifest's.
    """
    if not isinstance(rows, pa.Table):
        rows = list(rows)
        unknown = set().union(*rows) - set(SCHEMA.names) if rows else set()
        if unknown:
            raise InputError(f"unknown column {sorted(unknown)[0]!r}")
        rows = pa.Table.from_pylist(rows, schema=SCHEMA)
    table = conform(rows)
    check(table)
    name = manifest_hash(table)
    path = Path(directory) / f"{name}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            pq.write_table(table, partial)
    return Manifest(table=table, path=path, sha256=name)


def rebased(table: pa.Table, *, before: Path, after: Path) -> pa.Table:
    """The rows with image paths that were relative to `before` made relative to `after`; a URL
    stays."""
    paths = [
        name if "://" in name else os.path.relpath(before.resolve() / name, after.resolve())
        for name in table["image"].to_pylist()
    ]
    return table.set_column(
        table.column_names.index("image"), "image", pa.array(paths, pa.string())
    )


def read_manifest(path: Path | str) -> Manifest:
    """Read a manifest file, or the only one in a folder.

    Raises:
        InputError: there is none, there are several, or it is not a manifest.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.glob("*.parquet"))
        if len(found) != 1:
            raise InputError(f"{path}: expected one manifest in this folder, found {len(found)}")
        path = found[0]
    if not path.is_file():
        raise InputError(f"{path}: no such manifest")
    try:
        table = conform(pq.read_table(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a manifest: {error}") from error
    check(table)
    return Manifest(table=table, path=path, sha256=manifest_hash(table))


def group_keys(rows: pa.Table) -> list[str]:
    """[n]: the row's group of near-duplicates; a row without is a group by itself."""
    columns = (rows[name].to_pylist() for name in ("group", "sha256", "image"))
    return [group or sha256 or image for group, sha256, image in zip(*columns, strict=True)]
