"""`manage.py check_translations`: the pages say in Chinese all they say in English."""

import json

from django.core.management.base import BaseCommand, CommandError

from webapp import translations


class Command(BaseCommand):
    help = "List texts without a Chinese translation, and those no longer used."

    def add_arguments(self, parser):
        parser.add_argument(
            "--fill",
            metavar="FILE",
            help="a JSON object of text to Chinese: added to the catalogue, which is written anew",
        )
        parser.add_argument("--json", action="store_true", help="print what is missing as JSON")

    def handle(self, *, fill, json: bool, **options):
        catalogue = translations.read()
        if fill:
            self._fill(catalogue, fill)
        missing = translations.untranslated(catalogue)
        if json:
            self.stdout.write(_as_json(missing))
            return
        faults = [f"{message.place}: {message.text!r} has no Chinese" for message in missing]
        faults += [f"{text!r} is shown nowhere" for text, _ in translations.unused(catalogue)]
        if translations.CATALOGUE.with_suffix(".mo").read_bytes() != translations.compiled(
            catalogue
        ):
            faults.append("the compiled catalogue is not the one beside it: run with --fill")
        if faults:
            raise CommandError("\n".join(faults))
        self.stdout.write(f"{len(translations.said())} texts are in Chinese too")

    def _fill(self, catalogue, path: str) -> None:
        with open(path) as file:  # noqa: PTH123 - a path as typed
            given = json.load(file)
        for message in translations.untranslated(catalogue):
            if words := given.get(message.text):
                catalogue.add(
                    message.id,
                    (words,) if message.plural else words,
                    context=message.context or None,
                )
        for text, context in translations.unused(catalogue):
            catalogue.delete(text, context or None)
        translations.write(catalogue)


def _as_json(missing: list[translations.Message]) -> str:
    return json.dumps(
        {message.text: message.place for message in missing}, ensure_ascii=False, indent=1
    )
