"""`manage.py loop --rounds N [--simulate] [--json F]`: whole rounds, end to end."""

import json
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from active_learning import loop
from active_learning.models import Release
from active_learning.rounds import RoundError
from annotation.simulate import SimulatedLabelers
from ml.errors import InputError
from ml.files import write_atomically


class Command(BaseCommand):
    help = "Run whole rounds: scan, select, push, collect, train, evaluate, promote."

    def add_arguments(self, parser):
        parser.add_argument("--rounds", type=int, default=1)
        parser.add_argument(
            "--simulate", action="store_true", help="simulated labelers answer in Label Studio"
        )
        parser.add_argument("--truth", type=Path, help="manifest the simulated labelers know")
        parser.add_argument("--labelers", type=int, default=3)
        parser.add_argument("--accuracy", type=float, default=0.95)
        parser.add_argument("--config", type=json.loads, default={}, help="a round's dials, JSON")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--json", type=Path, help="write the account of the rounds here")

    def handle(self, *, rounds, simulate, truth, labelers, accuracy, config, seed, json, **options):
        if rounds < 1:
            raise CommandError("--rounds must be at least 1", returncode=2)
        if not current_app.control.inspect(timeout=3).ping():
            raise CommandError("no worker answers: start the platform with `make up`", returncode=2)
        try:
            people = self._people(simulate, truth, labelers, accuracy, seed)
            done = []
            if not Release.objects.filter(state=Release.State.CHAMPION).exists():
                self.stdout.write("no champion yet: a cold start comes first")
                done.append(loop.run_round(config=config, report=self.stdout.write))
            with answering(people) as still_answering:
                done += [
                    loop.run_round(config=config, report=self.stdout.write, check=still_answering)
                    for _ in range(rounds)
                ]
        except (RoundError, InputError) as error:
            raise CommandError(str(error), returncode=2) from error
        except loop.LoopFailed as error:
            raise CommandError(str(error)) from error
        account: dict[str, Any] = {
            "rounds": [loop.round_report(round_) for round_ in done],
            "label_triggered": loop.label_triggered(since=done[0]),
            "versions": loop.versions(),
        }
        if json:
            write_json(json, account)
        self.stdout.write("\n" + loop.table(account["rounds"]))
        for run in account["label_triggered"]:
            self.stdout.write(f"new labels set off: {run['version']} ({run['state']})")

    def _people(self, simulate, truth, labelers, accuracy, seed) -> SimulatedLabelers | None:
        if not simulate:
            return None
        known = loop.read_truth(truth or settings.DATA_DIR / "truth")
        return SimulatedLabelers(truth=known, count=labelers, accuracy=accuracy, seed=seed)


def write_json(path: Path, account: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(account, indent=2, ensure_ascii=False))


@contextmanager
def answering(people: SimulatedLabelers | None):
    """Have the simulated labelers answer, in a thread, while the block runs. Yields a check that
    raises what stopped them: a round would wait for ever for their answers."""
    if people is None:
        yield lambda: None
        return
    over = threading.Event()
    failures: list[BaseException] = []

    def answer() -> None:
        try:
            people.run(until=over.is_set)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    def check() -> None:
        if failures:
            raise loop.LoopFailed(f"the simulated labelers stopped: {failures[0]}")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield check
    finally:
        over.set()
        thread.join(30)
    check()
