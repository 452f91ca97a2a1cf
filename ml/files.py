"""Files written in one step, and folders that appear whole: a reader sees the old or the new, never
a part."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml.errors import InputError

# Faults of the place, not of the program: full, over quota, too large for it, read-only.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which replaces `path` at the end; after an error nothing is left of it.

    Raises:
        InputError: the disk does not take it; the message names `path`.
    """
    # Unique on a disk that several machines share, too.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        if error.errno in UNWRITABLE:
            raise InputError(f"{path}: cannot be written: {os.strerror(error.errno)}") from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace `path` with `content`.

    Raises:
        InputError: see `replacing`.
    """
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, beside `out`; it becomes `out` at the end, and goes where the work
    fails.

    Raises:
        InputError: `out` is there and not an empty folder.
    """
    out = Path(out).resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: not an empty folder")
    draft = out.with_name(f".{out.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        if out.exists():
            out.rmdir()
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
