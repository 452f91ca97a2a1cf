"""Pictures under a prefix of a bucket, or of the platform's own storage."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import Storage, default_storage

from annotation.connectors.entries import Entry
from annotation.ingest.decode import MAX_BYTES, Refusal
from annotation.ingest.rows import RefusedRow, Row
from ml.errors import InputError


class Bucket:
    """Everything below `prefix` but hidden names; what is no picture is found to be none."""

    trusted = False

    def __init__(self, storage: Storage, prefix: str) -> None:
        self._storage, self._prefix = storage, prefix.strip("/")
        self._names: list[str] | None = None

    def __iter__(self) -> Iterator[Entry | RefusedRow]:
        if self._names is None:  # listing a bucket is a request a thousand names
            self._names = list(self._list(self._prefix))
        for name in self._names:
            yield Entry(Row(name=name, path=Path()), partial(self._read, name))

    def _list(self, folder: str) -> Iterator[str]:
        try:
            folders, files = self._storage.listdir(folder)
        except Exception as error:
            if not _is_storages_own(error):
                raise
            raise InputError(f"{folder or '/'}: cannot be listed: {error}") from error
        below = f"{folder}/" if folder else ""
        yield from (below + name for name in sorted(files) if name and not name.startswith("."))
        for name in sorted(folders):
            if not name.startswith("."):
                yield from self._list(below + name)

    def _read(self, name: str) -> bytes:
        try:
            size = self._storage.size(name)
            if size > MAX_BYTES:
                raise Refusal(f"file of {size:,} bytes; at most {MAX_BYTES:,} are read")
            with self._storage.open(name) as file:
                return file.read()
        except Exception as error:
            if not _is_storages_own(error):
                raise
            raise Refusal(f"cannot be read: {error}"[:200]) from error


def open_bucket(
    *, bucket: str, prefix: str, endpoint_url: str | None, secret: str | None
) -> Bucket:
    """A bucket by its name, or the platform's own storage where none is given.

    Args:
        secret: `ACCESS_KEY:SECRET_KEY`; without it as boto3 finds them by itself.

    Raises:
        InputError: the library is missing, or the secret is not of that form.
    """
    if not bucket:
        return Bucket(default_storage, prefix)
    try:
        from storages.backends.s3 import S3Storage
    except ImportError as error:
        raise InputError("an S3 bucket needs django-storages[s3], which is missing") from error
    access, colon, key = (secret or "").partition(":")
    if secret and not (access and colon and key):
        raise InputError("the secret of a bucket has the form ACCESS_KEY:SECRET_KEY")
    keys = {"access_key": access, "secret_key": key} if secret else {}
    return Bucket(S3Storage(bucket_name=bucket, endpoint_url=endpoint_url, **keys), prefix)


def _is_storages_own(error: Exception) -> bool:
    """Whether this is the storage's word, and no fault of ours: boto3 has a class an answer."""
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError | SuspiciousOperation) or library in ("botocore", "boto3")
