"""`manage.py export_release --release N --out DIR`: a release that `python -m ml predict` serves
by itself."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from active_learning import promotion
from active_learning.models import Release
from active_learning.release_export import export_release
from ml.errors import InputError


class Command(BaseCommand):
    help = "Write a release (the champion by default) to a folder of its own."

    def add_arguments(self, parser):
        parser.add_argument("--release", type=int, metavar="N")
        parser.add_argument("--out", type=Path, required=True, metavar="DIR")

    def handle(self, *, release, out, **options):
        found = (
            promotion.champion()
            if release is None
            else Release.objects.filter(number=release).first()
        )
        if found is None:
            missing = "there is no champion yet" if release is None else f"no release {release}"
            raise CommandError(missing, returncode=2)
        try:
            export_release(release=found, out=out)
        except (promotion.PromotionError, InputError) as error:
            raise CommandError(str(error), returncode=2) from error
        self.stdout.write(f"{found} is in {out}")
