"""`manage.py cold_start BRAND_KEY [--positives DIR] [--rounds N]`: a new brand from its pictures to
a model that knows it, with a table after every round."""

import time
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from active_learning import coldstarts, loop
from active_learning.coldstart_table import account, table
from active_learning.jobs import JobError
from active_learning.management.commands.loop import answering, write_json
from active_learning.models import ColdStart
from active_learning.rounds import RoundError
from active_learning.selectors import coldstarts as selectors
from annotation.models import Brand
from annotation.simulate import SimulatedLabelers
from ml.errors import InputError
from ml.progress import Progress

POLL_SECONDS = 1.0


class Command(BaseCommand):
    help = "Start a brand cold: positives in, rounds of hard-negative mining, a table after each."

    def add_arguments(self, parser):
        default = coldstarts.DEFAULT_CONFIG
        parser.add_argument("brand_key")
        parser.add_argument("--positives", type=Path, help="a folder whose pictures show the brand")
        parser.add_argument("--source", default=coldstarts.SOURCE, help="where they come from")
        parser.add_argument("--rounds", type=int, default=coldstarts.ROUNDS, help="that ask people")
        parser.add_argument(
            "--budget", type=int, default=default["budget"], help="images asked a round"
        )
        parser.add_argument(
            "--negatives", type=float, help="negatives a brand to train on; default: all"
        )
        parser.add_argument(
            "--hard-share", type=float, default=default["hard_share"], help="of them hard, 0 to 1"
        )
        parser.add_argument("--collect-seconds", type=float, help="then a round asks no longer")
        parser.add_argument(
            "--simulate", action="store_true", help="simulated labelers answer in Label Studio"
        )
        parser.add_argument("--truth", type=Path, help="manifest the simulated labelers know")
        parser.add_argument("--labelers", type=int, default=3)
        parser.add_argument("--accuracy", type=float, default=0.95)
        parser.add_argument("--seed", type=int, default=1, help="of the simulated labelers")
        parser.add_argument("--json", type=Path, help="write the account here")

    def handle(self, *, brand_key, positives, source, json: Path | None, **options):
        brand = Brand.objects.filter(key=brand_key).first()
        if brand is None:
            raise CommandError(f"no brand {brand_key!r}", returncode=2)
        try:
            coldstarts.check_listed(brand=brand)
            self._check_workers()
            people = self._people(options)
            if positives is not None:
                self._take_in(brand, positives, source, quiet=options["verbosity"] == 0)
            begun = self._begin(brand, options)
            with answering(people) as still_answering:
                self._follow(begun, still_answering)
        except (JobError, RoundError, InputError) as error:
            raise CommandError(str(error), returncode=2) from error
        except loop.LoopFailed as error:
            raise CommandError(str(error)) from error
        begun.refresh_from_db()
        if json is not None:
            write_json(json, account(begun) | {"versions": loop.versions()})
        if begun.state != ColdStart.State.DONE:
            raise CommandError(f"{begun} {begun.state}: {begun.error}".rstrip(": "))

    def _check_workers(self) -> None:
        if not current_app.control.inspect(timeout=3).ping():
            raise CommandError("no worker answers: start the platform with `make up`", returncode=2)

    def _people(self, options: dict[str, Any]) -> SimulatedLabelers | None:
        if not options["simulate"]:
            return None
        known = loop.read_truth(options["truth"] or settings.DATA_DIR / "truth")
        return SimulatedLabelers(
            truth=known,
            count=options["labelers"],
            accuracy=options["accuracy"],
            seed=options["seed"],
        )

    def _take_in(self, brand: Brand, directory: Path, source: str, *, quiet: bool) -> None:
        progress = Progress(quiet=quiet)
        try:
            report = coldstarts.take_in(
                brand=brand, directory=directory, source=source, progress=progress
            )
        finally:
            progress.close()
        self.stdout.write(
            f"{report.directory}: {report.added} images added, {report.known} known, "
            f"{report.labels} labels, {len(report.set_aside)} set aside"
        )

    def _begin(self, brand: Brand, options: dict[str, Any]) -> ColdStart:
        """A new one; the one of the brand that runs already is followed instead, so that a command
        that was killed can be given again."""
        running = brand.cold_starts.filter(state=ColdStart.State.RUNNING).first()
        if running is not None:
            self.stdout.write(f"{running} is running already: this follows it")
            return running
        return coldstarts.start(
            brand=brand,
            rounds_wanted=options["rounds"],
            config={
                "budget": options["budget"],
                "negatives_per_brand": options["negatives"],
                "hard_share": options["hard_share"],
                "collect_seconds": options["collect_seconds"],
            },
        )

    def _follow(self, begun: ColdStart, check: Any) -> None:
        """Say where it stands, and the table whenever a round has measured."""
        said, shown = None, 0
        while True:
            begun.refresh_from_db()
            last = begun.rounds.first()
            now = loop.describe(last) if last else "another round is running: waiting for its end"
            if now != said:
                self.stdout.write(now)
                said = now
            found = selectors.standings(cold_start=begun)
            measured = sum(bool(row.lines) for row in found)
            if measured > shown:
                self.stdout.write("\n" + table(found) + "\n")
                shown = measured
            if begun.state != ColdStart.State.RUNNING:
                return
            check()
            time.sleep(POLL_SECONDS)
