"""`manage.py import_missed FILE [--pictures DIR]`: missed risks, found by complaint or audit."""

from pathlib import Path

from django.contrib.auth.models import User
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError

from annotation.csv_upload import TableError
from annotation.missed_table import import_missed

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif"}


class Command(BaseCommand):
    help = "Enter missed risks from a CSV file; all of its rows or none."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument("--pictures", type=Path, metavar="DIR", help="the files it names")
        parser.add_argument("--by", metavar="USERNAME", help="whoever entered them")

    def handle(self, *, file: Path, pictures: Path | None, by: str | None, **options):
        try:
            user = User.objects.get(username=by) if by else None
            entered = import_missed(table=file.read_bytes(), pictures=_files(pictures), by=user)
        except TableError as error:
            raise CommandError(f"{file}: {error}", returncode=2) from error
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}", returncode=2) from error
        except User.DoesNotExist as error:
            raise CommandError(f"--by {by}: no such person", returncode=2) from error
        for row in entered:
            where = f"{row.missed.image.sha256[:12]} → {row.missed.image.split}"
            self.stdout.write(f"  {where}{': ' + row.stays if row.stays else ''}")
        self.stdout.write(f"{len(entered)} missed risks entered")


def _files(folder: Path | None) -> list[File]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise TableError([f"{folder}: no such folder"])
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return [_Picture(path) for path in paths]


class _Picture(File):
    """Opened when it is read and closed after: a folder may hold more files than may be open."""

    def __init__(self, path: Path) -> None:
        super().__init__(None, name=path.name)
        self._path = path

    def read(self, size: int = -1) -> bytes:
        with self._path.open("rb") as file:
            return file.read(size)
