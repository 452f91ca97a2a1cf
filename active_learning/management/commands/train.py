"""`manage.py train KIND [--wait]`: train a model on the labels there are now; `manage.py train
--plan [--json F]`: what new labels would start, and why or why not."""

import json
from dataclasses import asdict
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from active_learning import training, triggers
from active_learning.jobs import JobError
from active_learning.models import ModelKind, TrainingRun
from active_learning.sentences import in_words
from active_learning.watching import JobFailed, watch
from ml.errors import InputError


class Command(BaseCommand):
    help = "Queue the training of a model on all labels there are now."

    def add_arguments(self, parser):
        parser.add_argument("kind", choices=ModelKind.values, nargs="?")
        parser.add_argument(
            "--plan", action="store_true", help="start nothing; say what new labels would start"
        )
        parser.add_argument("--json", type=Path, help="write the plan there too")
        parser.add_argument("--config", type=json.loads, default={}, help="its dials, JSON")
        parser.add_argument(
            "--from-scratch", action="store_true", help="not from the champion's weights"
        )
        parser.add_argument("--wait", action="store_true", help="until it has ended")

    def handle(self, *, kind, config, from_scratch, wait, plan, **options):
        if plan:
            return self._plan(options["json"])
        if kind is None:
            raise CommandError(f"name a model: {', '.join(ModelKind.values)}", returncode=2)
        try:
            run = training.request_training(
                kind=kind,
                trigger=TrainingRun.Trigger.PERSON,
                config=config,
                from_scratch=from_scratch,
            )
            self.stdout.write(f"training run {run.pk} queued: {kind} on dataset {run.dataset}")
            if wait:
                watch(job=run, write=self.stdout.write)
                self.stdout.write(f"{run.model_version} in {run.output}")
        except JobFailed as error:
            raise CommandError(str(error)) from error
        except (JobError, InputError) as error:
            raise CommandError(str(error), returncode=2) from error

    def _plan(self, path: Path | None) -> None:
        plans = triggers.plan_triggers()
        for plan in plans:
            verdict = "would be trained" if plan.due else "not now"
            self.stdout.write(f"{plan.kind}: {verdict}: {in_words(plan.reason)}")
        if path is not None:
            rows = [asdict(plan) | {"reason": in_words(plan.reason)} for plan in plans]
            path.write_text(json.dumps({"plans": rows}, indent=2, ensure_ascii=False))
