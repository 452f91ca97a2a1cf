"""`manage.py rollback --why REASON`: bring back the champion before this one."""

from django.core.management.base import BaseCommand, CommandError

from active_learning import promotion
from active_learning.commanding import machine_account


class Command(BaseCommand):
    help = "Bring back the release that the champion was promoted over."

    def add_arguments(self, parser):
        parser.add_argument("--why", required=True, help="kept in the history")

    def handle(self, *, why, **options):
        try:
            release = promotion.roll_back(by=None, why=why, account=machine_account())
        except promotion.PromotionError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{release} is the champion again")
