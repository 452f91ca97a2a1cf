"""`manage.py ingest DIR --source NAME`: a folder of images, with its tables, into the platform."""

import json
import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from annotation.ingest import IngestReport, ListingPolicy, ingest_folder
from annotation.ingest.formats import READERS
from annotation.models import Image
from ml.errors import InputError
from ml.files import write_atomically
from ml.progress import Progress

SHOWN = 50  # files set aside that are named on the terminal


class Command(BaseCommand):
    help = "Read a folder of images into the platform; safe to repeat and to interrupt."

    def add_arguments(self, parser):
        parser.add_argument("directory", type=Path)
        parser.add_argument("--source", required=True, help="where the images come from")
        parser.add_argument("--split", choices=Image.Split.values, default=Image.Split.POOL)
        parser.add_argument("--format", choices=["auto", *READERS], default="auto")
        parser.add_argument(
            "--trusted", action="store_true", help="answers and variations are labels, not hints"
        )
        parser.add_argument(
            "--brands-from-data", action="store_true", help="put the folder's brands on the list"
        )
        parser.add_argument(
            "--min-images",
            type=int,
            default=1,
            help="with --brands-from-data: only brands of at least so many images",
        )
        parser.add_argument(
            "--list-brands", type=Path, metavar="FILE", help="names to put on the list, one a line"
        )
        parser.add_argument("--processes", type=int, help="that decode; default: one a core")
        parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")

    def handle(self, *, directory, source, split, format, trusted, json: Path | None, **options):
        progress = Progress(quiet=options["verbosity"] == 0)
        try:
            report = ingest_folder(
                directory=directory,
                source=source,
                split=split,
                format=format,
                trusted=trusted,
                listing=_listing(options),
                progress=progress,
                processes=options["processes"],
            )
        except InputError as error:
            raise CommandError(str(error), returncode=2) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted; run it again to go on", returncode=130) from None
        finally:
            progress.close()
        if json is not None:
            write_json(json, report.as_dict())
        self.stdout.write(summary(report))


def _listing(options: dict) -> ListingPolicy:
    path = options["list_brands"]
    try:
        named = path.read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--list-brands {path}: {error}") from error
    return ListingPolicy(
        named=[name.strip() for name in named if name.strip()],
        from_data=options["brands_from_data"],
        min_images=options["min_images"],
    )


def write_json(path: Path, content: dict) -> None:
    """`-` is standard output."""
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
    else:
        write_atomically(path, text)


def summary(report: IngestReport) -> str:
    """The report for people: counts, then every file set aside with its reason."""
    lines = [f"  {name}: {reason}" for name, reason in report.set_aside[:SHOWN]]
    if len(report.set_aside) > SHOWN:
        lines.append(f"  … and {len(report.set_aside) - SHOWN} more; --json FILE names them all")
    head = (
        f"{report.directory} → {report.split}: {report.rows} rows, {report.added} images added, "
        f"{report.known} known, {report.labels} labels, {len(report.set_aside)} set aside; "
        f"{report.seconds:.1f} s, {report.rows / max(report.seconds, 1e-9):.0f} images/s"
    )
    return "\n".join([head, *lines])
