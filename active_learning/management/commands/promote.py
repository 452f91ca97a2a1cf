"""`manage.py promote N --why REASON`: make a release the champion, whatever the gate said."""

from django.core.management.base import BaseCommand, CommandError

from active_learning import promotion
from active_learning.models import Release


class Command(BaseCommand):
    help = "Make a release the champion."

    def add_arguments(self, parser):
        parser.add_argument("number", type=int)
        parser.add_argument("--why", required=True, help="kept in the history")

    def handle(self, *, number, why, **options):
        release = Release.objects.filter(number=number).first()
        if release is None:
            raise CommandError(f"no release {number}", returncode=2)
        try:
            promotion.promote(release=release, by=None, why=why)
        except promotion.PromotionError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{release} is the champion")
