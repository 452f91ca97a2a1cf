"""`manage.py status`: what runs, since when, at which addresses."""

import os
import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from webapp.supervisor.plan import load_plan
from webapp.supervisor.state import read_state, recorded_processes, supervisor_runs
from webapp.supervisor.up import addresses


class Command(BaseCommand):
    help = "Show the platform's processes and addresses; exit status 3 when it is not all up."
    requires_system_checks: list[str] = []

    def handle(self, **options):
        home = settings.HOME
        if not (home / "services.json").exists() or not supervisor_runs(home):
            raise CommandError("not up: `make up` starts the platform", returncode=3)
        state = read_state(home)
        living = recorded_processes(home)
        for name, process in state.get("processes", {}).items():
            pid = str(living[name].pid) if name in living else "-"
            age = max(0.0, time.monotonic() - process["since"])
            self.stdout.write(
                f"  {name:<24} {process['phase']:<10} {age:7.0f} s  pid {pid:<8}"
                f" restarts {process['restarts']}"
            )
        plan = load_plan(home=home, base_dir=settings.BASE_DIR, environment=os.environ)
        self.stdout.write(addresses(plan))
        if not state.get("ready"):
            raise CommandError("not all is up yet", returncode=3)
