"""`manage.py import_licences FILE`: merchants and what they may sell."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from annotation.csv_upload import TableError
from annotation.licences import import_licences


class Command(BaseCommand):
    help = (
        "Bring merchants and licences up to a CSV file of merchant,brand,valid_from,valid_to and, "
        "optional, name. Safe to repeat."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **options):
        try:
            done = import_licences(table=file.read_bytes(), by=None)
        except TableError as error:
            raise CommandError(f"{file}: {error}", returncode=2) from error
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}", returncode=2) from error
        self.stdout.write(
            f"{done.merchants} merchants added, {done.renamed} renamed; {done.licences} licences "
            f"added, {done.changed} changed, {done.same} as they were"
        )
