"""`manage.py train KIND [--wait]`: train a model on the labels there are now."""

import json

from django.core.management.base import BaseCommand, CommandError

from active_learning import training
from active_learning.jobs import JobError
from active_learning.models import ModelKind, TrainingRun
from active_learning.watching import JobFailed, watch
from ml.errors import InputError


class Command(BaseCommand):
    help = "Queue the training of a model on all labels there are now."

    def add_arguments(self, parser):
        parser.add_argument("kind", choices=ModelKind.values)
        parser.add_argument("--config", type=json.loads, default={}, help="its dials, JSON")
        parser.add_argument(
            "--from-scratch", action="store_true", help="not from the champion's weights"
        )
        parser.add_argument("--wait", action="store_true", help="until it has ended")

    def handle(self, *, kind, config, from_scratch, wait, **options):
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
