"""`manage.py ensure_roles`: the groups behind the roles; safe to repeat."""

from django.core.management.base import BaseCommand

from webapp.roles import ensure_roles


class Command(BaseCommand):
    help = "Make the groups behind the roles where they are missing."

    def handle(self, **options):
        for name in ensure_roles():
            self.stdout.write(f"made the role {name}")
