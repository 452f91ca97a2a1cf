"""Ingest: a folder of images, and what its tables say of them, into the platform."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from django.utils import timezone

from annotation.ingest.brands import BrandList, ListingPolicy, to_be_listed
from annotation.ingest.formats import BOX_FORMATS, detect_format, open_source
from annotation.ingest.reading import read_batches
from annotation.ingest.report import IngestReport
from annotation.ingest.rows import RefusedRow, Row, Showing, Source
from annotation.ingest.workers import Workers
from annotation.ingest.writing import Writer, Written
from annotation.models import Image, IngestBatch
from ml.errors import InputError
from ml.progress import Progress

REPORT_EVERY = 2.0  # seconds


def ingest_folder(
    *,
    directory: Path | str,
    source: str,
    split: str = Image.Split.POOL,
    format: str = "auto",
    trusted: bool = False,
    shows: str = "",
    listing: ListingPolicy | None = None,
    progress: Progress | None = None,
    processes: int | None = None,
) -> IngestReport:
    """Read a folder into the platform. Again: nothing new; after a kill: what was missing.

    Args:
        source: where the images come from; a product is named by source and its key there.
        split: of the new images; images known already stay where they are.
        format: one of `formats.READERS`, or auto.
        trusted: answers and variations of the tables are labels. In a format of boxes they are
            anyway, and boxes always are.
        shows: the brand that the images show of which the folder itself says nothing.
        listing: which brands to put on the list; by default none.
        processes: that decode; by default one a core.

    Raises:
        InputError: the folder, its tables or an argument cannot be used; nothing was written.
            A file or line that cannot be used is set aside and named in the report.
    """
    began = time.monotonic()
    directory = _checked(directory=Path(directory), source=source, split=split)
    format = detect_format(directory) if format == "auto" else format
    reader = open_source(directory, format)
    if shows:
        reader = Showing(reader, shows)
    total, brand_counts = _survey(reader)
    if total == 0:
        raise InputError(f"{directory}: no images in it")
    brands = BrandList()
    new_brands = brands.put_on_list(to_be_listed(listing or ListingPolicy(), brand_counts))
    batch = _open_batch(directory=directory, source=source, split=split)
    report = IngestReport(
        batch=batch.pk,
        source=source,
        directory=str(directory),
        split=split,
        brands_listed=sorted(brand.key for brand in new_brands),
    )
    writer = Writer(batch=batch, brands=brands, trusted=trusted or format in BOX_FORMATS)
    progress = progress or Progress(quiet=True)
    try:
        _run(reader, writer, report, total=total, progress=progress, processes=processes)
    except Exception:
        _close_batch(batch, report, IngestBatch.State.FAILED)
        raise
    report.seconds = time.monotonic() - began
    # What a run before this one set aside and is mended by now.
    batch.set_aside.exclude(path__in=[name for name, _ in report.set_aside]).delete()
    _close_batch(batch, report, IngestBatch.State.DONE)
    return report


def ingest_rows(
    *,
    rows: Iterable[Row | RefusedRow],
    batch: IngestBatch,
    trusted: bool = False,
    size: int,
    after: Callable[[int], None],
    processes: int | None = None,
) -> None:
    """Read rows into a batch as they come, once. What they did is in the database: the batch's
    images, and what it set aside. Given again, rows change nothing, and one that is taken now is
    no longer set aside.

    Args:
        size: rows written at a time.
        after: called with how many rows were written or set aside, each time that is committed.
        trusted, processes: as for `ingest_folder`.
    """
    writer = Writer(batch=batch, brands=BrandList(), trusted=trusted)
    with Workers(processes) as workers:
        for files, unread in read_batches(rows, workers, size=size):
            refused = {name for name, _ in writer.write(files, unread).refused}
            taken = {file.row.name for file in files} - refused
            batch.set_aside.filter(path__in=taken).delete()
            after(len(files) + len(unread))


def _checked(*, directory: Path, source: str, split: str) -> Path:
    if not directory.is_dir():
        raise InputError(f"{directory}: no such folder")
    if split not in Image.Split.values:
        raise InputError(f"unknown split {split!r}; one of {', '.join(Image.Split.values)}")
    if not 0 < len(source) <= 40:
        raise InputError("the source's name must have 1 to 40 characters")
    resolved = directory.resolve()
    if len(str(resolved)) > 500:
        raise InputError(f"{directory}: a path longer than 500 characters")
    return resolved


def _survey(reader: Source) -> tuple[int, Counter[str]]:
    """How many rows there are and how many name each brand. Tables that cannot be read say so
    here, before anything is written."""
    total, counts = 0, Counter[str]()
    for row in reader:
        total += 1
        if isinstance(row, Row):
            counts.update(row.brand_names())
    return total, counts


def _open_batch(*, directory: Path, source: str, split: str) -> IngestBatch:
    """The batch of an earlier run of the same folder, or a new one."""
    same = IngestBatch.objects.filter(directory=str(directory), source=source, split=split)
    batch = same.first() or IngestBatch(directory=str(directory), source=source, split=split)
    batch.state, batch.finished_at = IngestBatch.State.RUNNING, None
    batch.save()
    return batch


def _close_batch(batch: IngestBatch, report: IngestReport, state: str) -> None:
    batch.state, batch.finished_at, batch.counts = state, timezone.now(), report.counts()
    batch.save()


def _run(
    reader: Source,
    writer: Writer,
    report: IngestReport,
    *,
    total: int,
    progress: Progress,
    processes: int | None,
) -> None:
    began = reported = time.monotonic()
    with Workers(processes) as workers:
        for files, refused in read_batches(reader, workers):
            report.rows += len(files) + len(refused)
            _count(report, writer.write(files, refused))
            now = time.monotonic()
            if now - reported >= REPORT_EVERY or report.rows == total:
                reported = now
                progress.report(
                    "ingesting",
                    report.rows / total,
                    added=report.added,
                    set_aside=len(report.set_aside),
                    per_second=round(report.rows / (now - began)),
                )


def _count(report: IngestReport, written: Written) -> None:
    report.added += written.added
    report.known += written.known
    report.labels += written.labels
    report.set_aside += written.refused
