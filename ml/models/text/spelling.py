"""Disguised spellings brought back to one form, character by character, so that one pass of
`str.translate` does a whole title.

Look-alikes are the Unicode consortium's confusables (UTS 39) as `confusable_homoglyphs` has them;
what letters stand for in leetspeak is added here. i, l and 1 cannot be told apart once they may
stand for one another, so all are written l, in titles and in names alike.
"""

import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import islice, product

from confusable_homoglyphs import confusables
from pypinyin import Style, lazy_pinyin, pinyin

_LEET = {
    "0": "o", "1": "l", "2": "z", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s",
}  # fmt: skip
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# A name of five characters with three readings each has 243; two readings wrong in one are rare.
_MOST_READINGS = 16


class _Table(dict[int, str]):
    """A table for `str.translate` that works out each character when it first comes up."""

    def __init__(self, work_out: Callable[[str], str]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, point: int) -> str:
        self[point] = found = self._work_out(chr(point))
        return found


def is_chinese(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\U00020000" <= character <= "\U0003ffff"


def fold(text: str) -> str:
    """The text as it is read: look-alikes and leetspeak as plain small letters, accents, spaces and
    punctuation gone. Chinese characters stay."""
    return text.translate(FOLD)


def plain(text: str) -> str:
    """As `fold`, but what is written as a digit or an i stays: "Cloud 47" is not "cloudat"."""
    return text.translate(PLAIN)


def sound(folded: str) -> str:
    """A folded text as it is heard: each Chinese character as its most usual pinyin."""
    return folded.translate(SOUND)


def readings(name: str) -> set[str]:
    """The sounds of a name, for all readings of its characters (at most 16); empty where it has
    fewer than two Chinese characters: a single syllable is in every other title."""
    folded = fold(name)
    if sum(map(is_chinese, folded)) < 2:
        return set()
    options = [
        sorted({fold(r) for r in pinyin(c, style=Style.NORMAL, heteronym=True)[0]})
        if is_chinese(c)
        else [c]
        for c in folded
    ]
    return {sound(folded), *("".join(way) for way in islice(product(*options), _MOST_READINGS))}


def _sound_character(character: str) -> str:
    if not is_chinese(character):
        return character
    return fold("".join(lazy_pinyin(character, errors="ignore"))) or character


def _plain_character(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    return _fold_character(character)


def _fold_character(character: str) -> str:
    if is_chinese(character):
        return character
    looks = _look_alikes()
    if character in looks:
        return looks[character]
    plain = "".join(
        c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)
    )
    if plain != character:
        return fold(plain)
    # A small letter without a Latin twin may have one as a capital: Cyrillic к is K.
    capital = character.upper()
    if capital in looks:
        return looks[capital]
    return character.lower() if character.isalnum() else ""


@cache
def _look_alikes() -> dict[str, str]:
    """Characters that look like a Latin letter, with that letter, folded."""
    letter_of = {letter: letter for letter in _ALPHABET} | _LEET | {"i": "l"}
    found = {}
    for letter in (*_ALPHABET, *_ALPHABET.upper(), *"015"):
        for other in confusables.confusables_data.get(letter, ()):
            if len(other["c"]) == 1 and not is_chinese(other["c"]):
                found[other["c"]] = letter_of[letter.lower()]
    upper = {letter.upper(): folded for letter, folded in letter_of.items()}
    return found | upper | letter_of


FOLD, PLAIN = _Table(_fold_character), _Table(_plain_character)
SOUND = _Table(_sound_character)
