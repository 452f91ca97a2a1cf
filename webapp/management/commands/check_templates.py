"""`manage.py check_templates`: every template of ours compiles."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.template import TemplateSyntaxError, engines


class Command(BaseCommand):
    help = "Compile every template; list those that do not."

    def handle(self, **options):
        folder = settings.BASE_DIR / "templates"
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        faults = []
        for path in paths:
            try:
                engines["django"].from_string(path.read_text())
            except TemplateSyntaxError as error:
                faults.append(f"{path.relative_to(settings.BASE_DIR)}: {error}")
        if faults:
            raise CommandError("\n".join(faults))
        self.stdout.write(f"{len(paths)} templates compile")
