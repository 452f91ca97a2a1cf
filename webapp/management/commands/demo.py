"""`make demo`: a generated brand world, two whole rounds with simulated labelers, a table."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

WORLD = {
    "brands": 8,
    "train": 900,
    "closed": 240,
    "open": 1000,
    "business": 60,
    "pool": 900,
    "size": 128,
}
# Most items are asked of two people: fewer of them than a round asks by itself, and shorter
# trainings than a model gets by itself, keep it short.
ROUND = {
    "budget": {"brand": 60, "boxes": 12, "variation": 10},
    "train": {
        "classifier": {"epochs": 20, "warm_epochs": 6},
        "variation": {"warm_epochs": 4, "least_steps": 240},
        "detector": {"steps": 500, "warm_steps": 150},
    },
}
# Small enough that a round's answers set off a training of their own, besides the round's.
TRIGGER = {"RETRAIN_AFTER_LABELS": "35", "RETRAIN_DEBOUNCE_SECONDS": "5"}


class Command(BaseCommand):
    help = "Start everything, load a generated brand world, run two rounds, print what came of it."

    def add_arguments(self, parser):
        parser.add_argument("--rounds", type=int, default=2)
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *, rounds, seed, **options):
        began = time.monotonic()
        world = settings.DATA_DIR / f"world-{seed}"
        synth = self._start_synth(world, seed)
        self._manage("up", "--detach")
        if synth is not None and synth.wait() != 0:
            raise CommandError("the brand world could not be generated (its error is above)")
        self._manage("load_world", str(world))
        account = settings.HOME / "demo.json"
        self._manage(
            "loop",
            f"--rounds={rounds}",
            "--simulate",
            f"--truth={world / 'truth'}",
            f"--seed={seed}",
            f"--config={json.dumps(ROUND)}",
            f"--json={account}",
        )
        seconds = time.monotonic() - began
        self.stdout.write(f"\nThe demo took {seconds:.0f} s; {account} has the figures.")
        self._manage("status")

    def _start_synth(self, world: Path, seed: int) -> subprocess.Popen | None:
        """Generate while the services start; a world that is complete is used again."""
        if any(world.glob("*.parquet")):
            return None
        sizes = [f"--{name}={value}" for name, value in WORLD.items()]
        return subprocess.Popen(
            [sys.executable, "-m", "ml", "synth", *sizes, f"--seed={seed}", f"--out={world}"],
            cwd=settings.BASE_DIR,
        )

    def _manage(self, *arguments: str) -> None:
        """Run a command in a process of its own, which reads the addresses `up` has written."""
        result = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env={**TRIGGER, **os.environ, "PYTHONUNBUFFERED": "1"},
            check=False,
        )
        if result.returncode:
            raise CommandError(f"`manage.py {arguments[0]}` failed", returncode=result.returncode)
