"""Searches that would find more pictures of a brand's style, from the words of its guideline."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from annotation.models import Brand
from annotation.words import HAN, WORD

MOST_WORDS = 4  # a search of more finds nothing
MOST_SEARCHES = 12
# English words that say nothing about a look.
EMPTY = frozenset(
    WORD.findall(
        "a above all also an and any are as at be below beside between both by can each for from "
        "has have in inside into is it its look may of on one or other out over same shows small "
        "that the their then these this those through to two under whole with without"
    )
)
BREAK = re.compile(r"[^\w\s&'’-]+")


@dataclass(frozen=True)
class Phrase:
    """Words of one script that belong together: a run of Chinese, or a few words."""

    text: str
    is_chinese: bool

    def is_in(self, title: str) -> bool:
        """Whether a title (as `plain` gives it) has all of it."""
        if self.is_chinese:
            return self.text in title
        return set(self.text.split()) <= set(WORD.findall(title))


def phrases(text: str) -> list[Phrase]:
    """What a recognition point's text says of the look, each once, in its order."""
    found: list[Phrase] = []
    for part in BREAK.split(plain(text)):
        found += [Phrase(run, True) for run in HAN.findall(part) if len(run) > 1]
        words = [word for word in WORD.findall(HAN.sub(" ", part)) if word not in EMPTY]
        if words := words[:MOST_WORDS]:
            found.append(Phrase(" ".join(words), False))
    return list(dict.fromkeys(found))


def searches(brand: Brand, found: Iterable[Phrase]) -> list[str]:
    """Each name and alias of the brand with each phrase in its script; where the brand has no name
    in that script, with the others."""
    names = [name for name in (brand.name_en, brand.name_zh, *brand.aliases) if name]
    asked = []
    for phrase in found:
        own = [name for name in names if bool(HAN.search(name)) == phrase.is_chinese] or names
        # Without the brand's own name, which a guideline's text often repeats.
        rest = _without(phrase, own)
        asked += [f"{name} {rest}" for name in own if rest]
    return list(dict.fromkeys(asked))[:MOST_SEARCHES]


def _without(phrase: Phrase, names: Collection[str]) -> str:
    rest = phrase.text
    for name in names:
        # Chinese runs words together; elsewhere a name may be a part of another word.
        edge = "" if phrase.is_chinese else r"\b"
        rest = re.sub(f"{edge}{re.escape(plain(name))}{edge}", " ", rest)
    return " ".join(rest.split())


def plain(text: str) -> str:
    """As texts are compared: one width, one case."""
    return unicodedata.normalize("NFKC", text).casefold()
