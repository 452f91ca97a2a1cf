"""What heads are learned from and measured on: a classifier's embeddings of manifests' rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LogisticRegression

from ml.errors import InputError
from ml.evaluate.recall import common_threshold, flagged, hits
from ml.forecast.heads import Labelled, probabilities
from ml.manifest import Manifest, group_keys
from ml.models.base import Predictions, ShouldStop
from ml.models.brand_rows import KNOWN
from ml.predict import inputs_of, load_models, score_all
from ml.progress import Progress

# Drawn by lot where there are more: a head gains little from more, and every row is looked at.
MOST_KNOWN, MOST_TESTED = 8_000, 5_000


@dataclass(frozen=True)
class Rows:
    """Labelled images and their groups of near-duplicates, object (n,)."""

    labelled: Labelled
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.group)

    def only(self, rows: np.ndarray) -> "Rows":
        return Rows(self.labelled.only(rows), self.group[rows])


@dataclass(frozen=True)
class Ground:
    """
    Attributes:
        brands: keys, in the classifier's order.
        known: what is labelled already.
        closed: images of a brand, that recall is measured on.
        opened: a random sample of what is online, that flags are counted on.
    """

    brands: list[str]
    known: Labelled
    closed: Rows
    opened: Rows


@dataclass(frozen=True)
class Measured:
    """What a head makes of the test rows, at the threshold that flags so much of the open ones.

    Attributes:
        hit: bool (closed,).
        flag: (opened,) the brand that each is flagged for; −1 where it is not.
    """

    hit: np.ndarray
    flag: np.ndarray


class Reader:
    """A classifier that looks at manifests' rows.

    Attributes:
        brands: that it knows, in its order.
    """

    def __init__(self, model: Path, should_stop: ShouldStop) -> None:
        """
        Raises:
            InputError: it is no classifier.
        """
        self._predictors = load_models([model])
        if list(self._predictors) != ["classifier"]:
            raise InputError(f"{model}: a classifier is needed")
        self._should_stop = should_stop
        self.brands = list(self._predictors["classifier"].labels[:-1])

    def look(self, data: Manifest, rows: pa.Table, progress: Progress) -> Predictions:
        """
        Raises:
            InputError: an image is missing or cannot be read.
            Cancelled: `should_stop` became true.
        """
        inputs = inputs_of(data, rows, self._predictors)
        return score_all(
            self._predictors, inputs, progress=progress, should_stop=self._should_stop
        )["classifier"]

    def answered(self, data: Manifest, rows: pa.Table, *, most: int, progress: Progress) -> Rows:
        """The rows whose answer is known, `most` of them at most, drawn by lot."""
        rows = rows.filter(pa.array(np.isin(rows["answer"].to_pylist(), KNOWN), pa.bool_()))
        if len(rows) > most:
            rows = rows.take(np.sort(np.random.default_rng(0).permutation(len(rows))[:most]))
        if not len(rows):
            return Rows(Labelled(np.empty((0, 1), np.float32), np.empty(0, int)), np.empty(0))
        looks = self.look(data, rows, progress).embeddings
        assert looks is not None  # noqa: S101 — a classifier gives them
        group = np.array(group_keys(rows), dtype=object)
        return Rows(Labelled(looks, answers_of(rows, self.brands)), group)

    def ground(self, known: Manifest, test: Manifest, progress: Progress) -> Ground:
        """
        Raises:
            InputError: there are too few rows to learn heads from or to measure them on.
        """
        parts = (
            (known, known.rows("train", "val"), MOST_KNOWN),
            (test, test.rows("closed"), MOST_TESTED),
            (test, test.rows("open"), MOST_TESTED),
        )
        found = []
        for i, (data, rows, most) in enumerate(parts):
            with progress.part(i / len(parts), (i + 1) / len(parts)) as part:
                found.append(self.answered(data, rows, most=most, progress=part))
        learned, closed, opened = found
        closed = closed.only(np.flatnonzero(closed.labelled.answers < len(self.brands)))
        if len(np.unique(learned.labelled.answers)) < 2 or not len(closed) or not len(opened):
            raise InputError(
                f"{known.path}, {test.path}: two known answers, closed images of the classifier's "
                "brands and open ones are needed"
            )
        return Ground(self.brands, learned.labelled, closed, opened)


def answers_of(rows: pa.Table, brands: Sequence[str]) -> np.ndarray:
    """(n,) the place of each row's brand; the number of brands where it shows none of them."""
    place = {brand: i for i, brand in enumerate(brands)}
    pairs = zip(rows["answer"].to_pylist(), rows["brand"].to_pylist(), strict=True)
    none = len(brands)
    found = (place.get(brand, none) if answer == "brand" else none for answer, brand in pairs)
    return np.fromiter(found, int, len(rows))


def measure(head: LogisticRegression, ground: Ground, *, flag_ratio: float) -> Measured:
    count = len(ground.brands)
    closed, opened = (
        probabilities(head, rows.labelled.looks, count)[:, :-1]
        for rows in (ground.closed, ground.opened)
    )
    limits = np.full(count, common_threshold(opened, flag_ratio))
    return Measured(
        hit=hits(closed, ground.closed.labelled.answers, limits),
        flag=np.where(flagged(opened, limits), opened.argmax(axis=1), -1),
    )
