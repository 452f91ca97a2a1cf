"""`manage.py down`: stop everything that `up` started."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from webapp.supervisor.down import PATIENCE_SECONDS, stop


class Command(BaseCommand):
    help = "Stop everything that `up` started, workers first, PostgreSQL last."
    requires_system_checks: list[str] = []

    def handle(self, **options):
        if not stop(home=settings.HOME, base_dir=settings.BASE_DIR, say=self.stdout.write):
            raise CommandError(f"the supervisor has not stopped within {PATIENCE_SECONDS} s")
