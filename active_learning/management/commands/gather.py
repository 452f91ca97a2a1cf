"""`manage.py gather --run N`: take in the source of a run; what the job of a run starts."""

import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from active_learning.sources import gather
from active_learning.supervision import EXIT_STOPPED
from ml.errors import Cancelled, InputError
from ml.progress import Progress
from ml.stop import Stop


class Command(BaseCommand):
    help = "Take in the source of a run; ends with 75 where it was stopped and can go on."

    def add_arguments(self, parser):
        parser.add_argument("--run", type=int, required=True)
        parser.add_argument("--progress", type=Path, metavar="FILE", help="report to this file")

    def handle(self, *, run, progress, **options):
        stop = Stop()
        reports = Progress(file=progress)
        try:
            gather(run_id=run, progress=reports, should_stop=stop)
        except InputError as error:
            raise CommandError(str(error), returncode=2) from error
        except Cancelled:
            sys.exit(EXIT_STOPPED)
        finally:
            reports.close()
