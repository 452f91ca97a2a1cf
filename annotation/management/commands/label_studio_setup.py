from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.labelstudio.accounts import ensure_owner
from annotation.labelstudio.client import LabelStudioError
from annotation.labelstudio.projects import ensure_projects
from annotation.locks import advisory_lock
from annotation.tasks import PUSHING


class Command(BaseCommand):
    help = "Make or repair our projects and webhooks in Label Studio. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ensure_owner()
            # Not while tasks are pushed: a project found lost sends its tasks again.
            with advisory_lock(PUSHING, wait=True):
                projects = ensure_projects()
        except LabelStudioError as error:
            raise CommandError(str(error), returncode=1) from error
        for project in projects:
            project.refresh_from_db()
            state = project.last_error or "ready"
            self.stdout.write(f"{project} {project.remote_id}: {state}")
