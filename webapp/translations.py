"""What the pages say, and whether the Chinese catalogue says it too."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.utils.translation.template import templatize

APPS = ("webapp", "active_learning", "annotation")
# The order of their arguments is read below.
KEYWORDS = dict.fromkeys(
    ("_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy")
)
KEYWORDS["sentence"] = None  # of active_learning.sentences: stored first, translated when read
CATALOGUE = settings.BASE_DIR / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"


@dataclass(frozen=True)
class Message:
    """A text as it stands in the source. `plural` and `context` are empty where there is none."""

    text: str
    plural: str = ""
    context: str = ""
    place: str = ""

    @property
    def id(self) -> str | tuple[str, str]:
        return (self.text, self.plural) if self.plural else self.text


def said() -> list[Message]:
    """Every text that Python sources, templates and the choices of our models have to show."""
    found: dict[tuple, Message] = {}
    for message in [*_in_files(), *_in_choices()]:
        found.setdefault((message.text, message.plural, message.context), message)
    return list(found.values())


def read() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh_Hans")


def write(catalogue: Catalog) -> None:
    """Write the catalogue and what Django reads of it."""
    with CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=100, omit_header=False, no_location=True)
    CATALOGUE.with_suffix(".mo").write_bytes(compiled(catalogue))


def compiled(catalogue: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def untranslated(catalogue: Catalog) -> list[Message]:
    """Texts without their Chinese, or with one that is only a guess."""
    missing = []
    for message in said():
        entry = catalogue.get(message.id, context=message.context or None)
        words = [] if entry is None else entry.string if message.plural else [entry.string]
        if entry is None or entry.fuzzy or not words or not all(words):
            missing.append(message)
    return missing


def unused(catalogue: Catalog) -> list[tuple[str, str]]:
    """Texts of the catalogue, with their contexts, that nothing shows any more."""
    known = {(message.text, message.context) for message in said()}
    entries = [
        (entry.id if isinstance(entry.id, str) else entry.id[0], entry.context or "")
        for entry in catalogue
        if entry.id
    ]
    return [entry for entry in entries if entry not in known]


def _in_files() -> Iterator[Message]:
    for path in _sources():
        text = path.read_text()
        place = str(path.relative_to(settings.BASE_DIR))
        source = text if path.suffix == ".py" else _flat(templatize(text, origin=place))
        yield from _in_source(source, place)


def _flat(source: str) -> str:
    """A template as Python names its calls, without the indents, which mean nothing there."""
    return "\n".join(line.lstrip() for line in source.splitlines())


def _sources() -> Iterator[Path]:
    for app in APPS:
        for path in sorted((settings.BASE_DIR / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path
    yield from sorted((settings.BASE_DIR / "templates").rglob("*.*"))


def _in_source(source: str, place: str) -> Iterator[Message]:
    file = io.BytesIO(source.encode())
    for line, function, texts, _comments in extract_python(
        file, KEYWORDS, (), {"encoding": "utf-8"}
    ):
        parts = list(texts) if isinstance(texts, tuple | list) else [texts]
        where = f"{place}:{line}"
        if str(function).startswith("pgettext"):
            yield Message(text=parts[1], context=parts[0], place=where)
        elif str(function).startswith("ngettext"):
            yield Message(text=parts[0], plural=parts[1], place=where)
        elif parts and parts[0]:
            yield Message(text=parts[0], place=where)


def _in_choices() -> Iterator[Message]:
    """Labels of the models' choices: pages translate them as they show them."""
    for app in APPS:
        for model in apps.get_app_config(app).get_models():
            for field in model._meta.get_fields():
                for _value, label in getattr(field, "flatchoices", None) or ():
                    yield Message(text=str(label), place=f"{model.__name__}.{field.name}")
