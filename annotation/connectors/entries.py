"""What every connector yields."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from annotation.ingest.rows import RefusedRow, Row


@dataclass(frozen=True)
class Entry:
    """One picture and what is said of it.

    Attributes:
        row: its `path` is the file, unless it has to be fetched first.
        fetch: gives the picture's bytes, from any thread; a Refusal says why it cannot.
    """

    row: Row
    fetch: Callable[[], bytes] | None = None


class Connector(Protocol):
    """A place that pictures come from; may be iterated more than once. What cannot be used as a
    whole raises InputError, one picture that cannot is a RefusedRow."""

    trusted: bool  # what it says are labels, because somebody has boxed them

    def __iter__(self) -> Iterator[Entry | RefusedRow]: ...
