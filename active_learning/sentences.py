"""Sentences kept as data, so that whoever reads one later gets it in their own language."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

Sentence = dict[str, Any]


def sentence(text: str, **values: str | int) -> Sentence:
    """As it is stored.

    Args:
        text: a literal, for the catalogue to find it, with %(name)s for each of `values`.
    """
    return {"text": text, "values": values}


def in_words(stored: Mapping[str, Any]) -> str:
    """In the language that is active."""
    text = stored["text"]
    return gettext(text) % stored["values"]
