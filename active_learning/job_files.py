"""What a job's child process leaves in its folder: the log, and progress as JSON lines."""

import json
from pathlib import Path
from typing import Any

LOG = "log.txt"
PROGRESS = "progress.jsonl"
TAIL_BYTES = 16_000
ERROR_LINES = 12
TRACEBACK = "Traceback (most recent call last):"


class ProgressReader:
    """Follows a progress file that another process appends to, from where it ends now."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._metrics: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """What changed since the last call: `{"progress", "stage", "metrics"}`, or nothing."""
        if not self._path.exists():
            return {}
        with self._path.open("rb") as file:
            file.seek(self._offset)
            # A line that is still being written is left for the next call.
            whole, _, _ = file.read().rpartition(b"\n")
        if not whole:
            return {}
        self._offset += len(whole) + 1
        lines = [parse_json(line) for line in whole.splitlines()]
        for line in lines:
            self._metrics |= line.get("metrics", {})
        last = lines[-1]
        return {
            "progress": min(max(last["progress"] or 0.0, 0.0), 1.0),
            "stage": last["stage"][:120],
            "metrics": dict(self._metrics),
        }


def progress_lines(folder: Path) -> list[dict[str, Any]]:
    """Every report of a job so far, `{"time", "stage", "progress", "metrics"}` each: its curves."""
    path = folder / PROGRESS
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [parse_json(line) for line in whole.splitlines()]


def parse_json(text: str | bytes) -> Any:
    """JSON as PostgreSQL takes it: NaN and infinities, which Python writes, become null."""
    return json.loads(text, parse_constant=lambda _: None)


def read_json(path: Path) -> Any:
    """As `parse_json`, of a file."""
    return parse_json(path.read_bytes())


def log_tail(folder: Path, *, lines: int = 200) -> str:
    """The last lines of a job's log."""
    path = folder / LOG
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    # A progress bar rewrites its line: what was on it last is what counts.
    kept = [line.rsplit("\r", 1)[-1] for line in text.split("\n")]
    return "\n".join([line for line in kept if line.strip()][-lines:])


def last_words(folder: Path, *, start: int) -> str:
    """The end of what a child wrote since the byte `start` of the log: its error, most likely. Of
    a traceback only the error itself; the whole of it stays in the log."""
    found = said_since(folder, start=start)
    if TRACEBACK in found:
        after = found[len(found) - found[::-1].index(TRACEBACK) :]
        found = [line for line in after if not line.startswith(" ")] or after
    return "\n".join(found[-ERROR_LINES:])


def said_since(folder: Path, *, start: int) -> list[str]:
    """The lines that a child wrote since the byte `start` of the log, the last of them if it was
    much."""
    path = folder / LOG
    with path.open("rb") as file:
        file.seek(max(start, path.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace").replace("\x00", "")
    return [line.rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()]
