"""`manage.py promote N --why REASON`: make a release the champion; `--override REASON` though the
gates are against it."""

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from active_learning import promotion
from active_learning.commanding import machine_account
from active_learning.models import Release


class Command(BaseCommand):
    help = "Make a release the champion."

    def add_arguments(self, parser):
        parser.add_argument("number", type=int)
        reason = parser.add_mutually_exclusive_group(required=True)
        reason.add_argument("--why", metavar="REASON", help="kept in the history")
        reason.add_argument(
            "--override",
            metavar="REASON",
            help="promote it though it did not pass; kept in the history with the gates",
        )
        parser.add_argument(
            "--by", metavar="USERNAME", help="whose decision it is; else this machine's account"
        )

    def handle(self, *, number, why, override, by, **options):
        release = Release.objects.filter(number=number).first()
        if release is None:
            raise CommandError(f"no release {number}", returncode=2)
        person = None
        if by is not None:
            person = User.objects.filter(username=by).first()
            if person is None:
                raise CommandError(f"nobody is called {by}", returncode=2)
        try:
            promotion.promote(
                release=release,
                by=person,
                why=override if why is None else why,
                override=override is not None,
                account=machine_account(),
            )
        except promotion.PromotionError as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{release} is the champion")
