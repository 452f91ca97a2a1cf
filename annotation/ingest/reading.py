"""From rows to read files, a few batches ahead of the writing."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from annotation.ingest.decode import Picture, Refusal, file_sha256, read_picture
from annotation.ingest.rows import RefusedRow, Row
from annotation.ingest.workers import Workers
from annotation.ingest.writing import ReadFile
from annotation.models import Image

T = TypeVar("T")
BATCH = 256
ReadBatch = tuple[list[ReadFile], list[tuple[str, str]]]


def read_batches(
    source: Iterable[Row | RefusedRow], workers: Workers, *, size: int = BATCH
) -> Iterator[ReadBatch]:
    """Batches of read files with the (file, reason) of those refused, in the order of their rows.

    Files are hashed first, and only those whose image is not known are decoded: a run that
    continues another passes over what that one did.
    """
    hashing = _ahead((_start_hashing(rows, workers) for rows in _batched(source, size)), 2)
    decoding = _ahead((_start_decoding(collect(), workers) for collect in hashing), 1)
    for collect in decoding:
        yield collect()


Hashed = tuple[list[tuple[Row, str]], list[tuple[str, str]]]


def _start_hashing(batch: list[Row | RefusedRow], workers: Workers) -> Callable[[], Hashed]:
    rows = [row for row in batch if isinstance(row, Row)]
    refused = [_printable(row.name, row.reason) for row in batch if isinstance(row, RefusedRow)]
    collect = workers.start(file_sha256, [row.path for row in rows])

    def hashed() -> Hashed:
        identified = []
        for row, sha256 in zip(rows, collect(), strict=True):
            if isinstance(sha256, Refusal):
                refused.append(_printable(row.name, str(sha256)))
            else:
                identified.append((row, sha256))
        return identified, refused

    return hashed


def _start_decoding(hashed: Hashed, workers: Workers) -> Callable[[], ReadBatch]:
    identified, refused = hashed
    hashes = [sha256 for _, sha256 in identified]
    known = set(Image.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))
    unknown = {sha256: row.path for row, sha256 in identified if sha256 not in known}
    collect = workers.start(read_picture, list(unknown.values()))

    def decoded() -> ReadBatch:
        pictures: dict[str, Picture | Refusal] = dict(zip(unknown, collect(), strict=True))
        files = []
        for row, sha256 in identified:
            picture = pictures.get(sha256)
            if isinstance(picture, Refusal):
                refused.append(_printable(row.name, str(picture)))
            else:
                files.append(ReadFile(row=row, sha256=sha256, picture=picture))
        return files, refused

    return decoded


def _printable(name: str, reason: str) -> tuple[str, str]:
    """As PostgreSQL can keep it: file names may be any bytes, messages of decoders too."""
    clean = (text.encode("utf-8", "replace").decode().replace("\0", "") for text in (name, reason))
    name, reason = clean
    return name[:500], reason[:200]


def _batched(source: Iterable[Row | RefusedRow], size: int) -> Iterator[list[Row | RefusedRow]]:
    rest = iter(source)
    while batch := list(islice(rest, size)):
        yield batch


def _ahead(items: Iterable[T], number: int) -> Iterator[T]:
    """The items, each drawn (and so begun) `number` items before it is given."""
    waiting: deque[T] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > number:
            yield waiting.popleft()
    yield from waiting
