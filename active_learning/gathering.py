"""Taking a source in: what its connector yields, fetched where it must be, through ingest. Runs in
the child process of a `SourceRun`.

A journal in the run's folder names what was done, each time it is committed: a run that was killed
goes on behind it, without fetching or counting anything again.
"""

import json
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from django.utils import timezone

from active_learning.models import Source, SourceRun
from annotation.connectors import Connector, Entry, open_connector
from annotation.ingest import ingest_rows
from annotation.ingest.decode import Refusal
from annotation.ingest.rows import RefusedRow, Row
from annotation.models import Image, IngestBatch
from ml.errors import Cancelled, InputError
from ml.progress import Progress

BATCH = 64  # rows written at a time: what is fetched and lost when a run is killed is a few of them
FETCHERS = 8
REPORT_EVERY = 2.0  # seconds
JOURNAL = "done.jsonl"
SPOOL = "spool"  # fetched files until they are stored
STAGE = "taking pictures in"


def gather(
    *,
    run: SourceRun,
    progress: Progress,
    should_stop: Callable[[], bool],
    processes: int | None = None,
) -> None:
    """Take in all of a run's source that the run has not taken in yet.

    Raises:
        InputError: the source cannot be read as a whole, or holds nothing.
        Cancelled: `should_stop` said so; what was done is kept.
    """
    connector = open_connector(run.source.connector, run.source.place)
    total = sum(1 for _ in connector)
    if total == 0:
        raise InputError("the source holds no pictures")
    batch = _batch(run)
    work = _Work(run, total, progress, should_stop)
    try:
        ingest_rows(
            rows=work.rows(connector),
            batch=batch,
            trusted=connector.trusted,
            size=BATCH,
            after=work.note,
            processes=processes,
        )
    finally:
        work.clean()
    batch.state, batch.finished_at = IngestBatch.State.DONE, timezone.now()
    batch.counts = counts(run)
    batch.save(update_fields=["state", "finished_at", "counts"])


def counts(run: SourceRun) -> dict[str, int]:
    """`{"seen", "taken", "known", "refused"}`: from what was committed, so that a kill between two
    writes miscounts nothing."""
    seen = sum(_journal(run).values())
    taken = Image.objects.filter(batch=run.batch).count() if run.batch else 0
    refused = run.batch.set_aside.count() if run.batch else 0
    return {
        "seen": seen,
        "taken": taken,
        "known": max(0, seen - taken - refused),
        "refused": refused,
    }


def _batch(run: SourceRun) -> IngestBatch:
    """The run's own: what it took and what it refused is told by it."""
    if run.batch is None:
        place = next(iter(run.source.place.values()), "")
        run.batch = IngestBatch.objects.create(
            source=run.source.name,
            directory=f"run {run.pk} of {place}"[:500],
            split=run.source.split,
        )
        run.save(update_fields=["batch"])
    return run.batch


def _journal(run: SourceRun) -> Counter[str]:
    """How often each name was done. A last line cut off by a kill was not."""
    path = Path(run.output) / JOURNAL
    if not path.exists():
        return Counter()
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return Counter(json.loads(line) for line in whole.split("\n") if line)


class _Work:
    """The rows of one attempt, and the note of those that are done."""

    def __init__(
        self,
        run: SourceRun,
        total: int,
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> None:
        self._run = run
        self._total, self._progress, self._should_stop = total, progress, should_stop
        self._before = _journal(run)
        self._folder = Path(run.output)
        self._spool = self._folder / SPOOL
        self.clean()
        self._spool.mkdir(parents=True)
        self._mend_journal()
        # Given to ingest and not yet written, in order: name, and the file that was fetched.
        self._given: deque[tuple[str, Path | None]] = deque()
        self._done = sum(self._before.values())
        self._reported = 0.0

    def rows(self, connector: Connector) -> Iterator[Row | RefusedRow]:
        """The rows that were not done before, in the connector's order, with their files there;
        a few are fetched ahead."""
        # Of boxed pictures every word is a label: a default is none.
        default = None if connector.trusted else self._run.source
        waiting: deque[tuple[Entry | RefusedRow, Future | None]] = deque()
        threads = ThreadPoolExecutor(FETCHERS)
        try:
            for number, entry in enumerate(self._undone(connector)):
                fetch = entry.fetch if isinstance(entry, Entry) else None
                path = self._spool / str(number)
                waiting.append((entry, threads.submit(_fetch, fetch, path) if fetch else None))
                if len(waiting) > 2 * FETCHERS:
                    yield _with_default(self._ready(*waiting.popleft()), default)
            while waiting:
                yield _with_default(self._ready(*waiting.popleft()), default)
        finally:
            threads.shutdown(cancel_futures=True)

    def note(self, count: int) -> None:
        """The next `count` of the rows given are committed."""
        done = [self._given.popleft() for _ in range(count)]
        with (self._folder / JOURNAL).open("a", encoding="utf-8") as out:
            out.write("".join(json.dumps(name) + "\n" for name, _ in done))
        for _, path in done:
            if path is not None:
                path.unlink(missing_ok=True)
        self._done += count
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY or self._done >= self._total:
            self._reported = now
            share = min(1.0, self._done / self._total)
            self._progress.report(STAGE, share, **counts(self._run))

    def clean(self) -> None:
        """Remove what was fetched."""
        shutil.rmtree(self._spool, ignore_errors=True)

    def _mend_journal(self) -> None:
        """Cut off the half line that a kill may have left: the next would be joined to it."""
        path = self._folder / JOURNAL
        if path.exists():
            data = path.read_bytes()
            if not data.endswith(b"\n"):
                path.write_bytes(data[: data.rfind(b"\n") + 1])

    def _undone(self, connector: Connector) -> Iterator[Entry | RefusedRow]:
        before = self._before.copy()
        for entry in connector:
            if self._should_stop():
                raise Cancelled
            name = entry.name if isinstance(entry, RefusedRow) else entry.row.name
            if before[name] > 0:
                before[name] -= 1
            else:
                yield entry

    def _ready(self, entry: Entry | RefusedRow, fetched: "Future | None") -> Row | RefusedRow:
        name = entry.name if isinstance(entry, RefusedRow) else entry.row.name
        path: Path | None = None
        row: Row | RefusedRow = entry if isinstance(entry, RefusedRow) else entry.row
        if fetched is not None:
            result = fetched.result()
            if isinstance(result, Refusal):
                row = RefusedRow(name, str(result))
            elif isinstance(row, Row):
                path = result
                row = replace(row, path=path)
        self._given.append((name, path))
        return row


def _fetch(fetch: Callable[[], bytes], path: Path) -> Path | Refusal:
    """Of one picture: its file, or why there is none."""
    try:
        path.write_bytes(fetch())
    except Refusal as refusal:
        return refusal
    return path


def _with_default(row: Row | RefusedRow, source: Source | None) -> Row | RefusedRow:
    """With the source's weak label where the row has no word of its own."""
    if isinstance(row, RefusedRow) or source is None or not source.weak_answer:
        return row
    if row.brand or row.answer or row.boxes is not None:
        return row
    if source.brand is not None and source.weak_answer == Source.WeakAnswer.BRAND:
        return replace(row, brand=source.brand.key)
    return replace(row, answer=source.weak_answer)
