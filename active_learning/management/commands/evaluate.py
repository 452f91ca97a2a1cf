"""`manage.py evaluate [--release N] [--wait] [--json F]`: measure a release on the test sets."""

import json as json_format
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from active_learning import promotion
from active_learning.evaluations import request_evaluation
from active_learning.jobs import JobError
from active_learning.models import Evaluation, Release
from active_learning.watching import JobFailed, watch
from ml.errors import InputError
from ml.files import write_atomically


class Command(BaseCommand):
    help = "Measure a release (the champion by default) on the test sets as they are known now."

    def add_arguments(self, parser):
        parser.add_argument("--release", type=int, metavar="N")
        parser.add_argument("--wait", action="store_true", help="until it has ended")
        parser.add_argument("--json", type=Path, metavar="F", help="write the report; waits for it")

    def handle(self, *, release, wait, json, **options):
        try:
            evaluation = request_evaluation(release=_release(release))
            self.stdout.write(f"{evaluation} ({evaluation.release})")
            if wait or json:
                watch(job=evaluation, write=self.stdout.write)
                self._report(evaluation, json)
        except JobFailed as error:
            raise CommandError(str(error)) from error
        except (JobError, InputError) as error:
            raise CommandError(str(error), returncode=2) from error

    def _report(self, evaluation: Evaluation, path: Path | None) -> None:
        for kind, report in evaluation.report.items():
            self.stdout.write(f"{kind:<11} {figures(report)}")
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json_format.dumps(evaluation.report, indent=2))


def figures(report: dict) -> str:
    """The figures a gate looks at, of one model."""
    found = {
        "closed recall": report.get("closed", {}).get("mean_recall"),
        "open flag ratio": report.get("open", {}).get("flag_ratio"),
        "mAP50": report.get("map50"),
    }
    return ", ".join(f"{name} {value:.4f}" for name, value in found.items() if value is not None)


def _release(number: int | None) -> Release:
    found = (
        promotion.champion() if number is None else Release.objects.filter(number=number).first()
    )
    if found is None:
        raise JobError("there is no champion yet" if number is None else f"no release {number}")
    return found
