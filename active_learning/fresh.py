"""What the champion's newest scan says of the images that came in last, and of the pool before."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings
from django.utils import timezone

from active_learning.flags import deciding, hits
from active_learning.models import JobState, Release, Scan
from active_learning.scans import batches, shard_paths
from annotation.models import Image
from ml.acquisition import top_boxes, top_brands
from ml.acquisition.shards import OnDisk

SCORED = 20_000  # rows of the pool before whose scores are held
EMBEDDED = 1_000  # rows of either side whose embeddings are read


@dataclass
class Rows:
    """Some rows of a scan: their places in it, near-duplicate groups and, by model, the score of
    its best brand (NaN where the model did not look)."""

    places: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def one_a_group(self) -> np.ndarray:
        """Which rows come first of their group."""
        return np.unique(np.array(self.groups, str), return_index=True)[1]

    def scores_of(self, model: str) -> np.ndarray:
        """(n,) of one row a group, as far as the model looked."""
        scores = np.array(self.scores[model])[self.one_a_group()]
        return scores[np.isfinite(scores)]


@dataclass
class Day:
    """The fresh images of one day, in parts: whether any model flags them, and codes of their
    groups. As arrays, because a first import makes millions fresh at once."""

    parts: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def flagged(self) -> np.ndarray:
        """(n,) bool"""
        return np.concatenate([flagged for flagged, _groups in self.parts])

    @property
    def groups(self) -> np.ndarray:
        """(n,) int64"""
        return np.concatenate([groups for _flagged, groups in self.parts])


@dataclass
class Sides:
    """Both sides of a scan. `fresh` and `before` are samples by the images' own hashes, so the
    same images each time; `days` hold every fresh image."""

    scan: Scan
    fresh: Rows = field(default_factory=Rows)
    before: Rows = field(default_factory=Rows)
    days: dict[date, Day] = field(default_factory=lambda: defaultdict(Day))

    @property
    def models(self) -> list[str]:
        """Those with scores on both sides."""
        return sorted(self.fresh.scores.keys() & self.before.scores.keys())

    def embeddings(self) -> tuple[np.ndarray, np.ndarray]:
        """(m, d) before and (n, d) fresh, one row a group; no rows where the scan has none."""
        shards = shard_paths(self.scan)
        files = [pq.ParquetFile(shard) for shard in shards]
        if any("embedding" not in file.schema_arrow.names for file in files):
            return np.zeros((0, 0)), np.zeros((0, 0))
        read = OnDisk(shards, [file.metadata.num_rows for file in files])
        places = [_some(rows) for rows in (self.before, self.fresh)]
        before, fresh = (read(of) if len(of) else np.zeros((0, 0)) for of in places)
        return before, fresh


def newest_scan() -> Scan | None:
    """The champion's newest scan of the pool that has finished."""
    return Scan.objects.filter(
        release__state=Release.State.CHAMPION,
        state=JobState.SUCCEEDED,
        purpose=Scan.Purpose.POOL,
    ).first()


def read_sides(scan: Scan) -> Sides:
    """Read a scan once, a batch at a time. Fresh are the images of the last
    MONITORING_FRESH_DAYS days before it was asked for: one that waits for a worker is of the pool
    as it was then."""
    since = scan.created_at - timedelta(days=settings.MONITORING_FRESH_DAYS)
    came = Image.objects.filter(created_at__gte=since)
    count = came.filter(split=Image.Split.POOL).count()
    sides = Sides(scan)
    share_fresh = SCORED / max(1, count)
    share_before = SCORED / max(1, scan.rows - count)
    start = 0
    for table in batches(scan):
        shas = table["sha256"].to_pylist()
        found = came.filter(sha256__in=shas).values_list("sha256", "created_at")
        days = {sha256: timezone.localdate(at) for sha256, at in found}
        fresh = [row for row, sha256 in enumerate(shas) if sha256 in days]
        old = [row for row, sha256 in enumerate(shas) if sha256 not in days]
        _add_days(sides, _rows(table, fresh), days)
        for rows, chosen, share in (
            (sides.fresh, fresh, share_fresh),
            (sides.before, old, share_before),
        ):
            drawn = [row for row in chosen if _place_of_hash(shas[row]) < share]
            add_rows(rows, _rows(table, drawn), scan.release, [start + row for row in drawn])
        start += len(shas)
    return sides


def _rows(table: pa.Table, numbers: Sequence[int]) -> pa.Table:
    return table.take(pa.array(numbers, pa.int64()))


def _place_of_hash(sha256: str) -> float:
    """Evenly spread over 0 to 1, and an image's own for ever."""
    return int(sha256[:8], 16) / 2**32


def _add_days(sides: Sides, table: pa.Table, days: Mapping[str, date]) -> None:
    if not table.num_rows:
        return
    release = sides.scan.release
    found = {hit.sha256 for hit in deciding(hits(table, release), release)}
    shas = table["sha256"].to_pylist()
    flagged = np.array([sha256 in found for sha256 in shas])
    groups = np.array([hash(group) for group in table["group"].to_pylist()], np.int64)
    ordinals = np.array([days[sha256].toordinal() for sha256 in shas])
    for ordinal in np.unique(ordinals).tolist():
        its = ordinals == ordinal
        sides.days[date.fromordinal(ordinal)].parts.append((flagged[its], groups[its]))


def add_rows(rows: Rows, table: pa.Table, release: Release, places: Sequence[int]) -> None:
    """Note a table's groups and best scores; `places` are its rows' in the scan."""
    if not table.num_rows:
        return
    rows.places += places
    rows.groups += table["group"].to_pylist()
    if "classifier_brands" in table.column_names:
        _, scores = top_brands(
            table["classifier_brands"], table["classifier_scores"], release.brands
        )
        best = scores[:, 0] if scores.shape[1] else np.zeros(len(scores))
        rows.scores["classifier"] += best.tolist()
    if "detector_boxes" in table.column_names:
        found = top_boxes(table["detector_boxes"], release.brands, k=1)
        looked = np.ones(len(found.scores), bool) if found.looked is None else found.looked
        rows.scores["detector"] += np.where(looked, found.scores[:, 0], np.nan).tolist()


def _some(rows: Rows) -> np.ndarray:
    """Places of EMBEDDED rows at most, each of another group, spread over the sample."""
    if not rows.places:
        return np.zeros(0, int)
    places = np.sort(np.array(rows.places)[rows.one_a_group()])
    return places[:: -(-len(places) // EMBEDDED)]
