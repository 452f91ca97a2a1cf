"""Tables: the manifest's own columns, with images beside them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.datasets.pictures import Shown
from ml.manifest import SCHEMA, write_manifest

BOX_COLUMNS = ("image", "sha256", "brand", "x1", "y1", "x2", "y2")
NESTED = ("also", "excluded", "boxes")
BATCH = 2_000


class Csv:
    """`images.csv`, a row an image (lists as JSON; `boxes` empty: nobody looked, `[]`: none there),
    `boxes.csv`, a row a box, and `images/`."""

    boxed = False
    jpeg = False

    def __init__(self, folder: Path, *, brands: Sequence[str], splits: Sequence[str]) -> None:
        (folder / "images").mkdir()
        # What the csv module asks for: it ends lines itself.
        self._files = [
            (folder / name).open("w", encoding="utf-8", newline="")
            for name in ("images.csv", "boxes.csv")
        ]
        self._images, self._boxes = (csv.writer(file) for file in self._files)
        self._images.writerow(SCHEMA.names)
        self._boxes.writerow(BOX_COLUMNS)

    def images(self, split: str) -> str:
        return "images"

    def add(self, row: Mapping[str, Any], shown: Shown) -> int:
        values = dict(row) | {"image": shown.name}
        boxes = row["boxes"] or []
        for box in boxes:
            self._boxes.writerow([(box | values)[name] for name in ("image", "sha256")] + _of(box))
        if values["labelled_at"] is not None:
            values["labelled_at"] = values["labelled_at"].isoformat()
        for name in NESTED:
            if values[name] is not None:
                values[name] = json.dumps(values[name], ensure_ascii=False)
        self._images.writerow([values[name] for name in SCHEMA.names])
        return len(boxes)

    def close(self) -> None:
        for file in self._files:
            file.close()


def _of(box: Mapping[str, Any]) -> list[Any]:
    return [box[name] for name in BOX_COLUMNS[2:]]


class Parquet:
    """A manifest again, named by its hash, and `images/`: `python -m ml` reads it as it lies."""

    boxed = False
    jpeg = False

    def __init__(self, folder: Path, *, brands: Sequence[str], splits: Sequence[str]) -> None:
        (folder / "images").mkdir()
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []

    def images(self, split: str) -> str:
        return "images"

    def add(self, row: Mapping[str, Any], shown: Shown) -> int:
        self._rows.append(dict(row) | {"image": shown.name})
        if len(self._rows) == BATCH:
            self._flush()
        return len(row["boxes"] or [])

    def close(self) -> None:
        self._flush()
        write_manifest(pa.Table.from_batches(self._batches, schema=SCHEMA), self._folder)

    def _flush(self) -> None:
        self._batches.append(pa.RecordBatch.from_pylist(self._rows, schema=SCHEMA))
        self._rows = []
