"""`manage.py prepare_database`: tables, roles and the first administrator; safe to repeat."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Migrate, make the roles, and make the first administrator if there is none."

    def handle(self, **options):
        call_command("migrate", interactive=False, verbosity=1, stdout=self.stdout)
        call_command("ensure_roles", stdout=self.stdout)
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return
        if not settings.ADMIN_PASSWORD:
            raise CommandError("no administrator yet: set ADMIN_PASSWORD", returncode=2)
        users.create_superuser(settings.ADMIN_USERNAME, password=settings.ADMIN_PASSWORD)
        self.stdout.write(f"made the first administrator, {settings.ADMIN_USERNAME}")
