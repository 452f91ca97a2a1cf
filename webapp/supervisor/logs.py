"""One log file a process, kept small.

Children write to their file directly, not through the supervisor, so that they outlive it; hence a
file is rotated by copying and truncating it (it is open for appending, so the child goes on at the
new end).
"""

import shutil
from pathlib import Path

MAX_BYTES = 10_000_000
KEPT = 3


def rotate(path: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> bool:
    """Move a grown log to `NAME.1`, older ones to `NAME.2` …; says whether it did."""
    if not path.exists() or path.stat().st_size <= max_bytes:
        return False
    for number in range(kept - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def tail(path: Path, *, lines: int = 15, max_bytes: int = 20_000) -> str:
    """The last lines of a log; empty when there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - max_bytes))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
