"""Files written in one step: a reader sees the old one or the new one, never a part."""

import errno
import os
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
    partial = path.with_name(f".{path.name}.{os.getpid()}")
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
