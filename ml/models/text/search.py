"""Search for all names of all brands at once, in what a title looks like and what it sounds like.

Aho–Corasick (CACM 18, 1975): the time does not grow with the number of names.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick

from ml.models.text.spelling import FOLD, SOUND, fold, is_chinese, readings, sound

# How a name stands in a title, surest first: as it is; in other letters; with something between
# its letters; by its sound; within a longer word.
WAYS = ("verbatim", "spelt", "spaced", "sounded", "inside")
VERBATIM, SPELT, SPACED, SOUNDED, INSIDE = range(len(WAYS))


@dataclass(frozen=True)
class Name:
    """A folded name of a brand (its index), to be looked for in what is seen or what is heard."""

    text: str
    brand: int
    heard: bool

    @property
    def short(self) -> bool:
        """Too short to be believed unless it stands there as it is."""
        return len(self.text) < (2 if is_chinese(self.text[0]) else 4)


@dataclass(frozen=True)
class Hit:
    """A name found: its index in `AliasSearch.names`, and an index of WAYS."""

    name: int
    way: int


@dataclass(frozen=True)
class Occurrence(Hit):
    """A name at one place: title[start:end]."""

    start: int
    end: int


class AliasSearch:
    """All names of all brands, in two automata.

    Args:
        aliases: for each brand its names.
    """

    def __init__(self, aliases: Sequence[Sequence[str]]) -> None:
        self.names = _names(aliases)
        self._verbatim = [{name.strip().lower() for name in names} for names in aliases]
        self._seen, self._heard = (_Automaton(self.names, heard=h) for h in (False, True))

    def hits(self, title: str, folded: str) -> list[Hit]:
        """The names in a title, each in the surest way it stands there.

        Args:
            folded: `fold(title)`, which callers have at hand.
        """
        ways: dict[int, int] = {}
        for one in self.occurrences(title, folded):
            ways[one.name] = min(one.way, ways.get(one.name, one.way))
        return [Hit(name, way) for name, way in sorted(ways.items())]

    def occurrences(self, title: str, folded: str) -> list[Occurrence]:
        """Every place where a name stands in a title; arguments as for `hits`."""
        seen, heard = self._seen.find(folded), self._heard.find(sound(folded))
        if not seen and not heard:
            return []
        found = []
        reading = _Reading(title, folded)
        for name, start, end in seen:
            place = reading.place(start, end)
            way = self._way(self.names[name], reading, *place)
            if way is not None:
                found.append(Occurrence(name, way, *place))
        for name, start, end in heard:
            place_heard = reading.place_heard_apart(start, end)
            if place_heard is not None and not self.names[name].short:
                found.append(Occurrence(name, SOUNDED, *place_heard))
        return found

    def _way(self, name: Name, reading: "_Reading", first: int, after: int) -> int | None:
        if not (reading.is_edge(first) and reading.is_edge(after)):
            return None if name.short else INSIDE
        written = reading.title[first:after]
        if written.lower() in self._verbatim[name.brand]:
            return VERBATIM
        if name.short:
            return None
        return SPACED if any(not FOLD[ord(c)] for c in written) else SPELT


class _Reading:
    """A title, what is seen and heard of it, and where in the title each of that comes from."""

    def __init__(self, title: str, folded: str) -> None:
        self.title = title
        self._folded = folded
        self._seen_at = [i for i, c in enumerate(title) for _ in FOLD[ord(c)]]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """First character of the title, and the one after the last, of folded[start:end]."""
        return self._seen_at[start], self._seen_at[end - 1] + 1

    def place_heard_apart(self, start: int, end: int) -> tuple[int, int] | None:
        """As `place`, of what is heard from start to end; None unless it begins and ends with whole
        syllables and words."""
        heard_at = [i for i, c in enumerate(self._folded) for _ in SOUND[ord(c)]]
        first, last = heard_at[start], heard_at[end - 1]
        if start and heard_at[start - 1] == first:
            return None
        if end < len(heard_at) and heard_at[end] == last:
            return None
        place = self.place(first, last + 1)
        return place if all(map(self.is_edge, place)) else None

    def is_edge(self, at: int) -> bool:
        """Whether a word can begin or end before character `at`: between Chinese characters
        anywhere, else where letters, digits and the rest meet."""
        if at in (0, len(self.title)):
            return True
        before, after = _sort(self.title[at - 1]), _sort(self.title[at])
        return before != after or before == "chinese"


class _Automaton:
    """Occurrences of names; brands may share one."""

    def __init__(self, names: Sequence[Name], *, heard: bool) -> None:
        self._owners: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            if name.heard == heard:
                self._owners.setdefault(name.text, []).append(i)
        self._lists = list(self._owners.values())
        self._search = AhoCorasick(list(self._owners))

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """(index of the name, start, end) of all occurrences, overlapping ones too."""
        found = self._search.find_matches_as_indexes(text, overlapping=True)
        return [(name, start, end) for place, start, end in found for name in self._lists[place]]


def _names(aliases: Sequence[Sequence[str]]) -> list[Name]:
    found: dict[Name, None] = {}
    for brand, names in enumerate(aliases):
        for name in names:
            if folded := fold(name):
                found[Name(folded, brand, heard=False)] = None
        for name in names:
            found |= {Name(text, brand, heard=True): None for text in sorted(readings(name))}
    return list(found)


def _sort(character: str) -> str:
    if is_chinese(character):
        return "chinese"
    if character.isdecimal():
        return "digit"
    return "letter" if FOLD[ord(character)] else "other"
