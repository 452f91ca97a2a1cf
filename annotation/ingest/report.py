"""What an ingest did."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class IngestReport:
    """Counts of one run. `known` images were there before; `set_aside` are (file, reason)."""

    batch: int
    source: str
    directory: str
    split: str
    rows: int = 0
    added: int = 0
    known: int = 0
    labels: int = 0
    brands_listed: list[str] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        return {
            "rows": self.rows,
            "added": self.added,
            "known": self.known,
            "labels": self.labels,
            "set_aside": len(self.set_aside),
        }

    def as_dict(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "source": self.source,
            "directory": self.directory,
            "split": self.split,
            **self.counts(),
            "brands_listed": self.brands_listed,
            "files_set_aside": [{"file": name, "reason": why} for name, why in self.set_aside],
            "seconds": round(self.seconds, 2),
            "images_per_second": round(self.rows / self.seconds, 1) if self.seconds else None,
        }
