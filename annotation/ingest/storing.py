"""Image files into the default storage, named by what they hold."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from annotation.ingest.decode import Refusal, read_bytes

WRITERS = 4  # a remote bucket answers slowly, and to several at once as fast as to one


def stored_name(folder: str, sha256: str, extension: str) -> str:
    return f"{folder}/{sha256[:2]}/{sha256}.{extension}"


def store_files(files: Sequence[tuple[Path, str, str]]) -> list[Refusal | None]:
    """Copy (path, sha256, name) triples into the storage; a whole copy already there is kept.

    Returns a Refusal where the file is no longer the one that was read.
    """
    with ThreadPoolExecutor(WRITERS) as threads:
        return list(threads.map(lambda file: _store(*file), files))


def _store(path: Path, sha256: str, name: str) -> Refusal | None:
    try:
        data = read_bytes(path)
    except Refusal as refusal:
        return refusal
    if hashlib.sha256(data).hexdigest() != sha256:
        return Refusal("changed while it was read")
    if default_storage.exists(name):
        if default_storage.size(name) == len(data):
            return None
        default_storage.delete(name)  # what a killed run left of it
    default_storage.save(name, ContentFile(data))
    return None
