"""`manage.py load_world DIR`: a world made by `python -m ml synth` into the platform."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from annotation.management.commands.ingest import summary
from annotation.world import load_world
from ml.errors import InputError
from ml.progress import Progress


class Command(BaseCommand):
    help = "Load a generated brand world: brands, guidelines, merchants, images; safe to repeat."

    def add_arguments(self, parser):
        parser.add_argument("directory", type=Path)
        parser.add_argument("--processes", type=int, help="that decode; default: one a core")

    def handle(self, *, directory, processes, **options):
        progress = Progress(quiet=options["verbosity"] == 0)
        try:
            report = load_world(directory=directory, progress=progress, processes=processes)
        except InputError as error:
            raise CommandError(str(error), returncode=2) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted; run it again to go on", returncode=130) from None
        finally:
            progress.close()
        self.stdout.write(
            f"{report.brands} brands, {report.guidelines_published} guidelines published, "
            f"{report.merchants} merchants, {report.qualifications} qualifications"
        )
        for folder in report.folders:
            self.stdout.write(summary(folder))
