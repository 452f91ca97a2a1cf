"""From a manifest to a folder in another format, or to such a folder in one zip file."""

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.datasets.coco import Coco
from ml.datasets.pictures import Shown, place
from ml.datasets.tables import Csv, Parquet
from ml.datasets.voc import Voc
from ml.datasets.writers import Writer
from ml.datasets.yolo import Yolo
from ml.errors import Cancelled, InputError
from ml.files import new_folder, replacing
from ml.images import read_ahead
from ml.manifest import SPLITS, Manifest, read_manifest
from ml.models.base import ShouldStop
from ml.progress import Progress

FORMATS: dict[str, type[Writer]] = {
    "coco": Coco,
    "yolo": Yolo,
    "voc": Voc,
    "csv": Csv,
    "parquet": Parquet,
}
BATCH = 1_000
STEP = 250  # images between two reports
Row = dict[str, Any]


def convert(
    *,
    manifest: Path,
    to: str,
    out: Path,
    splits: Sequence[str] = (),
    link: bool = False,
    packed: bool = False,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, int]:
    """Write the rows of `splits` (of all, when none is named) with their images. `out` appears
    whole or not at all. Returns how many `images` and `boxes` were written, how many of the images
    are `empty` (looked, no box), and how many rows were `left_out`, their boxes not being known.

    Args:
        to: one of FORMATS.
        link: images are hard links where the disk allows it: a tool that mends images in place
            then changes the originals.
        packed: `out` is a zip file of the folder.

    Raises:
        InputError: no such format or split, no rows for it, an image cannot be read, or `out` is
            there already.
        Cancelled: `should_stop` became true.
    """
    data = read_manifest(manifest)
    table = _rows(data, to, splits)
    how: dict[str, Any] = {"should_stop": should_stop}
    if not packed:
        with new_folder(out) as folder:
            how |= {"folder": folder, "link": link, "progress": progress}
            return _write(data, table, FORMATS[to], **how)
    if out.exists():
        raise InputError(f"{out}: it is there already")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.with_name(f".{out.name}.folder")
    shutil.rmtree(work, ignore_errors=True)
    try:
        with new_folder(work) as folder, progress.part(0.0, 0.6) as part:
            # In a folder that nobody gets to see, links are safe and take no space.
            how |= {"folder": folder, "link": True, "progress": part}
            written = _write(data, table, FORMATS[to], **how)
        with progress.part(0.6, 1.0) as part:
            _pack(work, out, part, should_stop)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return written


def _rows(data: Manifest, to: str, splits: Sequence[str]) -> pa.Table:
    """The rows asked for, by split."""
    if to not in FORMATS:
        raise InputError(f"unknown format {to!r}; one of {', '.join(FORMATS)}")
    if unknown := sorted(set(splits) - set(SPLITS)):
        raise InputError(f"unknown split {unknown[0]!r}; one of {', '.join(SPLITS)}")
    table = data.rows(*splits)
    if not len(table):
        raise InputError(f"{data.path}: no rows{' of ' + ', '.join(splits) if splits else ''}")
    if table["split"].null_count:
        raise InputError(f"{data.path}: a row without a split")
    if remote := next((name for name in table["image"].to_pylist() if "://" in name), None):
        raise InputError(f"{data.path}: images are read from local folders only, not {remote}")
    return table


def brands_of(data: Manifest) -> list[str]:
    """Every brand that is boxed anywhere in the manifest, sorted: the same classes in the same
    order for whichever splits."""
    boxes = pc.list_flatten(data.table["boxes"])
    return sorted(pc.struct_field(boxes, "brand").unique().to_pylist())


def _write(
    data: Manifest,
    table: pa.Table,
    kind: type[Writer],
    *,
    folder: Path,
    link: bool,
    progress: Progress,
    should_stop: ShouldStop,
) -> dict[str, int]:
    known = table.filter(pc.is_valid(table["boxes"])) if kind.boxed else table
    if not len(known):
        raise InputError(f"{data.path}: of none of its {len(table)} rows are the boxes known")
    splits = [split for split in SPLITS if split in set(known["split"].to_pylist())]
    writer = kind(folder, brands=brands_of(data), splits=splits)

    def put(named: tuple[Row, str]) -> tuple[Row, Shown]:
        row, name = named
        source = data.path.parent / row["image"]
        suffix = ".jpg" if kind.jpeg else source.suffix.lower()
        name = f"{writer.images(row['split'])}/{name}{suffix}"
        shown = place(
            source, folder / name, name=name, link=link, upright=kind.boxed, jpeg=kind.jpeg
        )
        return row, shown

    written = {"images": 0, "boxes": 0, "empty": 0, "left_out": len(table) - len(known)}
    placed = read_ahead(put, _named(known))
    for row, shown in placed:
        boxes = writer.add(row, shown)
        written["images"] += 1
        written["boxes"] += boxes
        written["empty"] += row["boxes"] == []
        if should_stop():
            placed.close()
            raise Cancelled("the same command begins anew")
        if written["images"] % STEP == 0:
            progress.report("images", written["images"] / len(known))
    writer.close()
    progress.report("done", 1.0, **written)
    return written


def _named(table: pa.Table) -> Iterator[tuple[Row, str]]:
    """Rows with the names of their image files: the sha256; a number where that is not known or
    was used."""
    used: set[str] = set()
    number = 0
    for batch in table.to_batches(max_chunksize=BATCH):
        for row in batch.to_pylist():
            name = row["sha256"]
            if name is None or name in used:
                name = f"{number:08d}"
            used.add(name)
            number += 1
            yield row, name


def _pack(folder: Path, out: Path, progress: Progress, should_stop: ShouldStop) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with replacing(out) as partial, zipfile.ZipFile(partial, "w", allowZip64=True) as archive:
        for number, path in enumerate(files, start=1):
            if should_stop():
                raise Cancelled("the same command begins anew")
            # Images do not get smaller.
            is_text = path.suffix in (".txt", ".xml", ".json", ".csv", ".yaml")
            way = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
            archive.write(path, path.relative_to(folder), way)
            if number % STEP == 0:
                progress.report("pack", number / len(files))
        progress.report("pack", 1.0)
