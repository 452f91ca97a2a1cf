"""What the linear model sees of titles: hashed character n-grams of the plain text, and the names
found in it. Worked out for a batch at once: that is where the speed comes from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ml.models.text.search import WAYS, AliasSearch
from ml.models.text.spelling import fold, plain

_BREAK = "\n"  # between titles; `plain` removes it from them
_FACTOR, _SPREAD = np.uint32(0x01000193), np.uint32(0x9E3779B1)


@dataclass(frozen=True)
class Features:
    """n titles.

    Attributes:
        grams: float32 [n, buckets], each n-gram weighing 1/√(number of n-grams of its title).
        names: float32 [n, names]: 1 where the name was found.
        ways: float32 [n, brands × WAYS]: 1 in the surest way a name of the brand was found.
    """

    grams: sparse.csr_matrix
    names: sparse.csr_matrix
    ways: sparse.csr_matrix

    def __len__(self) -> int:
        return int(self.grams.shape[0])


def featurise(
    titles: Sequence[str], search: AliasSearch, *, brands: int, bits: int, orders: Sequence[int]
) -> Features:
    """Features of titles, in their order.

    Args:
        brands: number of brands.
        bits: n-grams are hashed into 2^bits buckets.
        orders: lengths of the n-grams, in characters, ascending.
    """
    found: list[tuple[int, int]] = []
    surest: dict[tuple[int, int], int] = {}
    for row, title in enumerate(titles):
        for hit in search.hits(title, fold(title)):
            found.append((row, hit.name))
            key = row, search.names[hit.name].brand
            surest[key] = min(hit.way, surest.get(key, hit.way))
    ways = [(row, brand * len(WAYS) + way) for (row, brand), way in surest.items()]
    return Features(
        grams=ngrams([plain(title) for title in titles], bits=bits, orders=orders),
        names=_ones(found, (len(titles), len(search.names))),
        ways=_ones(ways, (len(titles), brands * len(WAYS))),
    )


def ngrams(texts: Sequence[str], *, bits: int, orders: Sequence[int]) -> sparse.csr_matrix:
    """float32 [n, 2^bits]: hashed n-grams, each weighing 1/√(number of n-grams of its title).

    A title's first and last characters make n-grams with the break around it too. The hash is a
    polynomial of the code points, spread by a multiplication (Knuth, TAOCP 3, 6.4).
    """
    text = _BREAK + _BREAK.join(texts) + _BREAK
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    owner = np.repeat(np.arange(len(texts)), lengths + 1)  # a break belongs to the title after it
    starts = np.cumsum(lengths + 1) - lengths - 1
    left = (lengths + starts + 2)[owner] - np.arange(len(owner))  # characters up to the next break
    # [characters, orders]: row by row, so that a title's n-grams end up side by side.
    cells = np.zeros((len(owner), len(orders)), np.uint32)
    rolled = points
    for order in range(2, orders[-1] + 1):
        rolled = rolled[:-1] * _FACTOR + points[order - 1 :]
        if order in orders:
            cells[: len(rolled), orders.index(order)] = rolled[: len(owner)] * _SPREAD
    fits = left[:, None] >= np.array(orders)
    count = np.bincount(owner, fits.sum(axis=1), minlength=len(texts)).astype(np.int64)
    weight = np.repeat(1 / np.sqrt(np.maximum(count, 1)), count).astype(np.float32)
    column = (cells[fits] >> np.uint32(32 - bits)).astype(np.int32)
    ends = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    return sparse.csr_matrix((weight, column, ends), shape=(len(texts), 1 << bits))


def ngram_spans(text: str, orders: Sequence[int]) -> list[tuple[int, int]]:
    """text[start:end] that each n-gram of a text is of, in the order in which `ngrams` has them.
    The break around the text is left out of them."""
    length = len(text)
    return [
        (max(0, at - 1), min(length, at - 1 + order))
        for at in range(length + 1)
        for order in orders
        if order <= length + 2 - at
    ]


def _ones(places: Sequence[tuple[int, int]], shape: tuple[int, int]) -> sparse.csr_matrix:
    at = np.array(places, int).reshape(-1, 2)
    return sparse.csr_matrix((np.ones(len(at), np.float32), (at[:, 0], at[:, 1])), shape=shape)
