"""Sentences kept as data, so that whoever reads one later gets it in their own language."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

Sentence = dict[str, Any]


def sentence(text: str, **values: str | int | Sentence) -> Sentence:
    """As it is stored.

    Args:
        text: a literal, for the catalogue to find it, with %(name)s for each of `values`; one that
            is itself to be translated is a sentence.
    """
    return {"text": text, "values": values}


def in_words(stored: Mapping[str, Any]) -> str:
    """In the language that is active."""
    values = {
        name: in_words(value) if isinstance(value, Mapping) else value
        for name, value in stored["values"].items()
    }
    text = stored["text"]
    return gettext(text) % values
