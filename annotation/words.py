"""Search by words in English and Chinese with what a bare PostgreSQL has: a `simple` tsvector in
which every run of Chinese characters is cut into its pairs."""

import re
import unicodedata

from django.contrib.postgres.search import SearchQuery

HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]+")
WORD = re.compile(r"\w+")


def terms(text: str) -> str:
    """The words of a text and the character pairs of its Chinese, each apart, for a `simple`
    tsvector. A single character stands for itself, and every character is a term too, so that a
    search for one finds it."""
    text = unicodedata.normalize("NFKC", text).casefold()
    found: list[str] = []
    for run in HAN.findall(text):
        found += [run[i : i + 2] for i in range(len(run) - 1)] + list(run)
    return " ".join(found + WORD.findall(HAN.sub(" ", text)))


def query(text: str) -> SearchQuery | None:
    """What was typed into a search box: all of its words, the last one perhaps unfinished, and
    Chinese in just this order. None when it holds no word."""
    text = unicodedata.normalize("NFKC", text).casefold()
    parts = []
    for run in HAN.findall(text):
        pairs = [run[i : i + 2] for i in range(len(run) - 1)] or [run]
        parts += pairs
    words = WORD.findall(HAN.sub(" ", text))
    parts += [f"{word}:*" if word == words[-1] else word for word in words]
    if not parts:
        return None
    return SearchQuery(" & ".join(parts), config="simple", search_type="raw")
