import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from annotation.quality.campaign import MODES, Outcome, figures, run


class Command(BaseCommand):
    help = (
        "Simulated labelers, a random spammer and one who accepts every proposal: how right the "
        "consensus is, what it costs, who is held. In this process, without any service; with "
        "--real through Label Studio and the gateway of a platform that is up and empty."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seeds", type=int, help="runs of each mode (default 5; 1 if real)")
        parser.add_argument("--first-seed", type=int, default=0)
        parser.add_argument("--items", type=int, default=1500)
        parser.add_argument("--mode", action="append", choices=MODES, help="default: all")
        parser.add_argument(
            "--real",
            action="store_true",
            help="through the platform of TOUCHSTONE_HOME (manage.py up), which must hold nothing "
            "but rehearsals; one seed by default, some 8 answers a second",
        )
        parser.add_argument("--json", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        seeds = options["seeds"]
        if seeds is None:
            seeds = 1 if options["real"] else 5
        if seeds < 1 or options["items"] < 1:
            raise CommandError("--seeds and --items must be at least 1", returncode=2)
        target = options["json"]
        if target and not target.absolute().parent.is_dir():
            raise CommandError(f"no such folder: {target.absolute().parent}", returncode=2)
        rows = []
        for mode in options["mode"] or MODES:
            for seed in range(options["first_seed"], options["first_seed"] + seeds):
                outcome = self._run(mode, seed, options["items"], real=options["real"])
                rows.append({"mode": mode, "seed": seed, **figures(outcome)})
                self._say(rows[-1])
        if target:
            target.write_text(json.dumps({"seeds": rows}, indent=1) + "\n")

    def _run(self, mode: str, seed: int, items: int, *, real: bool) -> Outcome:
        if not real:
            return run(mode=mode, seed=seed, items=items)
        from annotation.labelstudio.client import LabelStudioError
        from annotation.rehearsal.run import rehearse
        from annotation.rehearsal.stage import RehearsalError

        try:
            return rehearse(mode=mode, seed=seed, items=items, say=self.stderr.write)
        except (RehearsalError, LabelStudioError, OperationalError) as error:
            raise CommandError(f"no rehearsal: {error}".strip(), returncode=2) from error

    def _say(self, row: dict) -> None:
        held = ", ".join(f"{name} after {at}" for name, at in row["held"].items()) or "nobody"
        self.stdout.write(
            f"{row['mode']:<10} seed {row['seed']}: {row['accuracy']:.2%} right at "
            f"{row['answers_per_item']:.2f} answers an item; trusted {row['trusted']:.1%}, of "
            f"these right {row['trusted_accuracy']:.2%}; {row['gold_answers']} gold answers; "
            f"held: {held}"
        )
