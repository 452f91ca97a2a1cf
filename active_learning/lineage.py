"""Which labels each row of a dataset came from: a Parquet file beside its manifest, one row a label
that counted, or one for the source's weak word where nobody had answered."""

import logging
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from active_learning import manifests
from active_learning.manifests import Known
from active_learning.models import DatasetVersion, ModelKind
from annotation.models import GuidelineVersion, Task
from ml.artifact import file_sha256
from ml.files import replacing

logger = logging.getLogger(__name__)

SCHEMA = pa.schema(
    [
        ("sha256", pa.string()),
        ("split", pa.string()),
        ("kind", pa.string()),
        ("label", pa.int64()),
        ("person", pa.int64()),
        ("guideline", pa.int64()),
        ("source", pa.string()),
        ("decided", pa.bool_()),
    ]
)
WEAK = "weak"  # the product table's word
BATCH = 5_000
GROUP = 1_024  # rows a look-up of one image reads

# Whose answers a model of a kind learns from; a variation model may learn the brand's look too.
LEARNS_FROM = {
    ModelKind.CLASSIFIER: {Task.Kind.BRAND},
    ModelKind.DETECTOR: {Task.Kind.BOXES},
    ModelKind.VARIATION: {Task.Kind.VARIATION, Task.Kind.BRAND},
    ModelKind.TEXT: {Task.Kind.BRAND},
    ModelKind.FUSION: {Task.Kind.BRAND},
}


class Draft:
    """The lineage of a dataset while its rows are being read."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._rows: list[dict[str, Any]] = []

    def add(self, known: Known, row: Mapping[str, Any]) -> None:
        """Note where the manifest's `row` of an image has its answers from."""
        said = {
            Task.Kind.BRAND: row["answer"] != "unlabelled" or bool(row.get("excluded")),
            Task.Kind.BOXES: row["boxes"] is not None,
            Task.Kind.VARIATION: row["variation"] is not None,
        }
        for kind, is_said in said.items():
            if is_said:
                self._rows += _origins(known.get(kind), image=known, kind=kind)
        if len(self._rows) >= BATCH:
            self._flush()

    def table(self) -> pa.Table:
        """All rows, by image: so that one image's lie together."""
        self._flush()
        table = pa.Table.from_batches(self._batches, schema=SCHEMA)
        return table.sort_by([(name, "ascending") for name in ("sha256", "kind", "label")])

    def _flush(self) -> None:
        self._batches.append(pa.RecordBatch.from_pylist(self._rows, schema=SCHEMA))
        self._rows = []


def _origins(
    answer: Mapping[str, Any] | None, *, image: Known, kind: str
) -> Iterable[dict[str, Any]]:
    common = {"sha256": image["sha256"], "split": image["split"], "kind": str(kind)}
    if answer is None:
        return [common | {"source": WEAK, "decided": True}]
    return [
        common
        | {
            "label": label.pk,
            "person": label.by_id,
            "guideline": label.guideline_id,
            "source": label.source,
            "decided": label.pk == answer["decided_by"],
        }
        for label in answer["labels"]
    ]


def write(table: pa.Table) -> str:
    """Write a lineage under its own hash, in one step. Returns the hash."""
    folder = _folder(manifests.directory())
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{uuid.uuid4().hex}"
    try:
        with replacing(draft) as partial:
            pq.write_table(table, partial, row_group_size=GROUP)
        name = file_sha256(draft)
        draft.replace(folder / f"{name}.parquet")
    finally:
        draft.unlink(missing_ok=True)
    return name


def path_of(dataset: DatasetVersion) -> Path | None:
    """The file of a dataset's lineage; None where none was kept."""
    if not dataset.lineage_sha256:
        return None
    return _folder(Path(dataset.path).parent) / f"{dataset.lineage_sha256}.parquet"


def _folder(manifest_folder: Path) -> Path:
    return manifest_folder / "lineage"


def count_origins(table: pa.Table) -> dict[str, dict[str, int]]:
    """Answers by origin (a label's source, or the weak word), and labels by guideline version."""
    versions = Counter(table["guideline"].drop_null().to_pylist())
    named = GuidelineVersion.objects.select_related("brand").in_bulk(versions)
    by_version = {f"{row.brand.key} v{row.number}": versions[pk] for pk, row in named.items()}
    return {
        "origin": dict(sorted(Counter(table["source"].to_pylist()).items())),
        "guideline": dict(sorted(by_version.items())),
    }


def of_images(dataset: DatasetVersion, hashes: Collection[str]) -> dict[str, list[dict]] | None:
    """The lineage of these images' rows, by sha256; images that are not in the dataset are not in
    it. None where no lineage was kept, or its file is gone."""
    path = path_of(dataset)
    if path is None:
        return None
    if not path.is_file():
        logger.warning("the lineage of dataset %s is gone: %s", dataset, path)
        return None
    # Sorted by image: the statistics of a row group tell whether it has to be read.
    wanted = pc.field("sha256").isin(sorted(hashes))
    found: dict[str, list[dict]] = {}
    for row in pq.read_table(path, filters=wanted).to_pylist():
        found.setdefault(row["sha256"], []).append(row)
    return found
