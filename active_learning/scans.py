"""Scans: a release's scores of every image of a manifest."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from active_learning import jobs
from active_learning.job_files import read_json
from active_learning.jobs import JobError
from active_learning.models import JobState, ModelKind, Release, Scan
from active_learning.supervision import supervise
from ml.errors import InputError
from ml.manifest import Manifest

SHARDS = "shards"
BATCH = 5_000
ENDED_BADLY = (JobState.FAILED, JobState.CANCELLED)


def request_scan(
    *,
    release: Release,
    manifest: Manifest,
    purpose: str = Scan.Purpose.POOL,
    by: User | None = None,
) -> Scan:
    """Queue the scan of the manifest's pool rows by a release; the one there already, unless it
    ended badly, is returned instead."""
    same = Scan.objects.filter(release=release, manifest_sha256=manifest.sha256, purpose=purpose)
    try:
        with transaction.atomic():
            scan = Scan.objects.create(
                release=release,
                manifest_sha256=manifest.sha256,
                purpose=purpose,
                manifest=str(manifest.path),
                rows=len(manifest.rows("pool")),
                requested_by=by,
                output=jobs.folder(f"scans/release-{release.number}-"),
            )
            jobs.enqueue(scan)
    except IntegrityError:
        return same.exclude(state__in=ENDED_BADLY).get()
    return scan


def run(*, scan_id: int) -> JobState | None:
    """Supervise the scan in this process; safe to call again at any time."""
    return supervise(Scan, scan_id, argv=command, finish=check_result)


def model_arguments(release: Release) -> list[str]:
    """`--model DIR` for each model of a release."""
    versions = filter(None, (getattr(release, kind) for kind in ModelKind.values))
    return [part for version in versions for part in ("--model", version.artifact)]


def command(scan: Scan) -> list[str]:
    """The child's command line."""
    line = [sys.executable, "-m", "ml", "scan", *model_arguments(scan.release)]
    return [*line, "--manifest", scan.manifest, "--out", str(Path(scan.output) / SHARDS)]


def check_result(scan: Scan) -> None:
    """Raise InputError unless the shards hold the scan whole."""
    summary = read_json(Path(scan.output) / SHARDS / "scan.json")
    if summary["images"] != scan.rows:
        raise InputError(f"{summary['images']} of {scan.rows} images were scored")


def scan_table(scan: Scan) -> pa.Table:
    """All rows of a scan, in the order of its manifest; columns as in docs/architecture.md.

    Raises:
        JobError: the scan has not succeeded.
    """
    if scan.state != JobState.SUCCEEDED:
        raise JobError(f"{scan}: it has no results")
    return pa.concat_tables([pq.read_table(shard) for shard in shard_paths(scan)])


def batches(scan: Scan) -> Iterator[pa.Table]:
    """A scan that has succeeded, a few thousand rows at a time, without its embeddings."""
    for shard in shard_paths(scan):
        file = pq.ParquetFile(shard)
        columns = [name for name in file.schema_arrow.names if name != "embedding"]
        for batch in file.iter_batches(BATCH, columns=columns):
            yield pa.Table.from_batches([batch])


def shard_paths(scan: Scan) -> list[Path]:
    """The Parquet files of a scan that has succeeded, in the order of its manifest."""
    folder = Path(scan.output) / SHARDS
    return [folder / shard for shard in read_json(folder / "scan.json")["shards"]]
