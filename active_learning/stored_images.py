"""Stored images as files that models can read: themselves where they are stored in a folder; where
they are stored in a bucket, copies of them in the folder that all workers share, made once."""

import shutil
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils._os import safe_join

from ml.errors import InputError
from ml.files import replacing

THREADS = 16  # they wait for the bucket


def image_path(*, file: str) -> str:
    """Where models read a stored image; see `bring`."""
    if _is_folder():
        return default_storage.path(file)
    return safe_join(settings.DATA_DIR / "images", file)


def bring(*, files: Collection[str]) -> None:
    """Have the copies there of those stored in a bucket. Stored images never change, so a copy that
    is there is right; one that was deleted is made again.

    Raises:
        InputError: one is not in the bucket, or the disk takes no more; the message names it.
    """
    if _is_folder():
        return
    copies = {file: Path(image_path(file=file)) for file in files}
    missing = {file: copy for file, copy in copies.items() if not copy.is_file()}
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(_copy, missing.keys(), missing.values()))


def _is_folder() -> bool:
    try:  # how Django's storages tell
        default_storage.path("")
    except NotImplementedError:
        return False
    return True


def _copy(file: str, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            default_storage.open(file) as stored,
            replacing(copy) as partial,
            partial.open("wb") as to,
        ):
            shutil.copyfileobj(stored, to)
    except FileNotFoundError as error:
        raise InputError(f"{file}: not in the bucket") from error
