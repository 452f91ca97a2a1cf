"""What is known of the items that may be chosen, in memory that five million of them fit in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import InputError

NO_BRAND = -1
Embeddings = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class TopScores:
    """What a model says of items: like the columns of `ScoredPool`.

    Attributes:
        looked: (n,) bool, false where the model did not look at an item; None: it did at all.
    """

    brands: np.ndarray
    scores: np.ndarray
    looked: np.ndarray | None = None

    def part(self, rows: slice) -> "TopScores":
        looked = None if self.looked is None else self.looked[rows]
        return TopScores(self.brands[rows], self.scores[rows], looked)


@dataclass(frozen=True)
class KnownPositives:
    """Images that are known to show a brand.

    Attributes:
        looks: (m, d) float32, L2-normalised.
        brands: (m,)
    """

    looks: np.ndarray
    brands: np.ndarray


@dataclass(frozen=True)
class ScoredPool:
    """
    Attributes:
        brands: (n, k) indices of the brands that score highest in each item, best first;
            NO_BRAND where there are no more.
        scores: (n, k) float32, their probabilities; 0 where there is no brand.
        background: (n,) probability of no listed brand.
        groups: (n,) code of each item's near-duplicate group, see `group_codes`; one of a group is
            chosen at most.
        thresholds: (brands,) operating points: at or above, an item is flagged for the brand.
        probe_hits, probe_draws: (brands,) earlier probes and how many did show the brand.
        focus: indices of the brands the round is about; empty = all.
        embeddings: gives float (m, d), L2-normalised, of the items (m,) asked for; None where
            there are none.
        others: what other models than the classifier say of the same items, by kind.
        known: positives of the brands, in the space of the embeddings.
    """

    brands: np.ndarray
    scores: np.ndarray
    background: np.ndarray
    groups: np.ndarray
    thresholds: np.ndarray
    probe_hits: np.ndarray
    probe_draws: np.ndarray
    focus: tuple[int, ...] = field(default=())
    embeddings: Embeddings | None = None
    others: Mapping[str, TopScores] = field(default_factory=dict)
    known: KnownPositives | None = None

    def __len__(self) -> int:
        return len(self.background)

    @property
    def best(self) -> np.ndarray:
        """(n,) score of the best brand."""
        return self.scores[:, 0] if self.scores.shape[1] else np.zeros(len(self), np.float32)

    @property
    def best_brand(self) -> np.ndarray:
        """(n,) the best brand; NO_BRAND where there is none."""
        if not self.brands.shape[1]:
            return np.full(len(self), NO_BRAND)
        return self.brands[:, 0]

    def check(self) -> None:
        """
        Raises:
            InputError: a score is missing (NaN or infinite), brands are not best first, or columns
                disagree; a missing score is never a silent zero.
        """
        n, columns = len(self.background), (self.brands, self.scores, self.groups)
        if any(len(column) != n for column in columns) or self.brands.shape != self.scores.shape:
            raise InputError(f"{n} items were scored; another column disagrees")
        for name in ("scores", "background", "thresholds"):
            values = getattr(self, name)
            bad = ~np.isfinite(values)
            if bad.any():
                raise InputError(f"{name}: row {np.argwhere(bad)[0][0]} has a missing score")
        groups = self.groups
        if groups.dtype.kind != "i" or (n and not 0 <= groups.min() <= groups.max() < n):
            raise InputError("groups: not the codes of group_codes")
        for kind, other in self.others.items():
            if len(other.brands) != n or other.brands.shape != other.scores.shape:
                raise InputError(f"{n} items were scored; the {kind} disagrees")
            if not np.isfinite(other.scores).all():
                raise InputError(f"the {kind} has a missing score; what it did not see is `looked`")
        if (self.scores[:, 1:] > self.scores[:, :-1]).any():
            raise InputError("scores: an item's brands are not best first")
        if len(self.brands) and self.brands.max(initial=NO_BRAND) >= len(self.thresholds):
            raise InputError("a scored brand has no threshold")


def group_codes(names: pa.ChunkedArray) -> np.ndarray:
    """(n,) int32, a number for each group's name: 0, 1, … in the order of their appearance.

    Raises:
        InputError: a name is missing.
    """
    if names.null_count:
        raise InputError("an item has no group")
    # As one array: what encodes chunks gives each of them the names of all.
    whole = names.cast(pa.large_string()).combine_chunks()
    return np.asarray(pc.dictionary_encode(whole).indices)


def top_brands(
    names: pa.ChunkedArray, scores: pa.ChunkedArray, brands: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """A scan's columns `classifier_brands` and `classifier_scores` as `ScoredPool.brands` and
    `.scores`: (n, k) int16 and float32. Brands that are not in `brands` are passed over.

    Raises:
        InputError: the two columns differ in length, or a score is null.
    """
    parts = [
        _top(one, other, brands) for one, other in zip(names.chunks, scores.chunks, strict=True)
    ]
    k = max((part[0].shape[1] for part in parts), default=0)
    found = [
        np.concatenate([_widened(part[i], k, fill) for part in parts] or [np.empty((0, k))])
        for i, fill in ((0, NO_BRAND), (1, 0.0))
    ]
    return found[0].astype(np.int16), found[1].astype(np.float32)


def top_boxes(column: pa.ChunkedArray, brands: Sequence[str], k: int = 5) -> TopScores:
    """A scan's column `detector_boxes` as scores of brands: each brand's best box, of the `k` best
    brands of an item. Where the column is null the detector did not look."""
    boxes = column.combine_chunks()
    counts = pc.list_value_length(boxes).fill_null(0).to_numpy(zero_copy_only=False)
    found = boxes.flatten()
    place = {name: i for i, name in enumerate(brands)}
    brand = np.array([place.get(name, NO_BRAND) for name in found.field("brand").to_pylist()], int)
    score = found.field("score").to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(counts)), counts)
    # Best first, so that of a brand and then of an item the first ones are those to keep.
    order = np.lexsort((-score, row))
    order = order[brand[order] != NO_BRAND]
    _, first = np.unique(row[order] * (len(brands) + 1) + brand[order], return_index=True)
    order = order[np.sort(first)]
    row, brand, score = row[order], brand[order], score[order]
    kept = np.bincount(row, minlength=len(counts))
    at = np.arange(len(row)) - np.repeat(np.cumsum(kept) - kept, kept)
    top = TopScores(
        np.full((len(counts), k), NO_BRAND),
        np.zeros((len(counts), k), np.float32),
        boxes.is_valid().to_numpy(zero_copy_only=False),
    )
    row, at, brand, score = (values[at < k] for values in (row, at, brand, score))
    top.brands[row, at], top.scores[row, at] = brand, score
    return top


def embeddings_in(column: pa.ChunkedArray) -> Embeddings:
    """A scan's column `embedding` as `ScoredPool.embeddings`."""

    def of(items: np.ndarray) -> np.ndarray:
        taken = column.take(pa.array(items)).combine_chunks()
        flat = taken.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(flat.astype(np.float32).reshape(len(items), -1))

    return of


def _top(
    names: pa.ListArray, scores: pa.ListArray, brands: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    counts = pc.list_value_length(names).to_numpy(zero_copy_only=False)
    if (
        not pc.equal(pc.list_value_length(names), pc.list_value_length(scores))
        .to_numpy(zero_copy_only=False)
        .all()
    ):
        raise InputError("a scan gives other numbers of brands than of scores")
    values = scores.flatten()
    if values.null_count:
        raise InputError("a scan has a missing score")
    coded = names.flatten()
    if not pa.types.is_dictionary(coded.type):
        coded = coded.dictionary_encode()
    place = {name: i for i, name in enumerate(brands)}
    known = np.array([place.get(name, NO_BRAND) for name in coded.dictionary.to_pylist()], np.int16)
    flat = known[coded.indices.to_numpy(zero_copy_only=False)] if len(coded) else known
    row = np.repeat(np.arange(len(counts)), counts)
    listed = flat != NO_BRAND
    row, flat, values = row[listed], flat[listed], values.to_numpy(zero_copy_only=False)[listed]
    # The place of each among what is left of its row.
    kept = np.bincount(row, minlength=len(counts))
    column = np.arange(len(row)) - np.repeat(np.cumsum(kept) - kept, kept)
    top = np.full((len(counts), int(kept.max(initial=0))), NO_BRAND, np.int16)
    found = np.zeros(top.shape, np.float32)
    top[row, column], found[row, column] = flat, values
    return top, found


def _widened(part: np.ndarray, k: int, fill: float) -> np.ndarray:
    return np.pad(part, ((0, 0), (0, k - part.shape[1])), constant_values=fill)
