"""From out-of-fold probabilities to suspected wrong labels: confident learning (Northcutt, Jiang
and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021), by its
authors' library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from ml.clean.folds import Folds

WRONG_POSITIVE, WRONG_NEGATIVE, CONTRADICTION = KINDS = (
    "wrong_positive", "wrong_negative", "contradiction",
)  # fmt: skip
FILTER = "prune_by_noise_rate"

FINDS = pa.schema(
    [
        ("sha256", pa.string()),
        ("image", pa.string()),
        ("given", pa.string()),
        ("suggested", pa.string()),
        ("score", pa.float32()),
        ("kind", pa.string()),
        ("partner", pa.string()),
    ]
)


@dataclass(frozen=True)
class Judged:
    """The judged rows, m of them, each by a model that had not seen it.

    Attributes:
        index: int [m] the row's place in `folds.rows`.
        given: int [m] column of its answer.
        probabilities: [m, k].
        score: [m] 1 − the probability of the given answer: most suspicious first.
        suspected: bool [m].
    """

    folds: Folds
    index: np.ndarray
    given: np.ndarray
    probabilities: np.ndarray
    score: np.ndarray
    suspected: np.ndarray

    @property
    def suggested(self) -> np.ndarray:
        """int [m] the likeliest of the other classes."""
        others = self.probabilities.copy()
        others[np.arange(len(others)), self.given] = -1
        return np.asarray(others.argmax(axis=1))


def judge_labels(folds: Folds, probabilities: np.ndarray) -> Judged:
    """
    Args:
        probabilities: as of `out_of_fold`.
    """
    index = np.flatnonzero(folds.judged)
    given = folds.given[index]
    rows = folds.rows.select(["also", "excluded"]).take(pa.array(index)).to_pylist()
    said = as_answered(probabilities[index], given, rows, folds.labels)
    return Judged(
        folds=folds,
        index=index,
        given=given,
        probabilities=said,
        score=1 - get_label_quality_scores(given, said, method="self_confidence"),
        # One process: a pool of forks beside torch's threads may hang.
        suspected=find_label_issues(given, said, filter_by=FILTER, n_jobs=1),
    )


def as_answered(
    probabilities: np.ndarray,
    given: np.ndarray,
    rows: Sequence[dict[str, Any]],
    labels: Sequence[str],
) -> np.ndarray:
    """The probabilities with what the person said beside the answer: a brand that is visible as
    well speaks for it, a brand that was ruled out is not suggested.

    Args:
        probabilities, given: [m, k], int [m].
        rows: [m] their `also` and `excluded`.
    """
    place = {name: i for i, name in enumerate(labels)}
    # Never quite 0: where all else is ruled out, a row must still sum to 1.
    said = np.maximum(probabilities.astype(np.float64), 1e-9)
    for row, (own, known) in enumerate(zip(given, rows, strict=True)):
        seen = [place[name] for name in known["also"] or () if name in place]
        ruled_out = [place[name] for name in known["excluded"] or () if name in place]
        said[row, own] += sum(said[row, k] for k in seen if k != own)
        said[row, [k for k in (*seen, *ruled_out) if k != own]] = 0
    return said / said.sum(axis=1, keepdims=True)


def find_table(judged: Judged, pairs: Sequence[tuple[int, int]]) -> pa.Table:
    """`FINDS`, most suspicious first. Of a contradicting pair the row is named that the models
    believe less, with the other as its partner.

    Args:
        pairs: rows of the folds that contradict each other.
    """
    suggested = judged.suggested
    places = {int(row): i for i, row in enumerate(judged.index)}
    background = len(judged.folds.labels) - 1
    columns = judged.folds.rows.select(["sha256", "image", "answer", "brand"]).to_pylist()

    def line(place: int, suggestion: int, kind: str, partner: int | None) -> dict[str, Any]:
        row = columns[judged.index[place]]
        return {
            "sha256": row["sha256"],
            "image": row["image"],
            "given": row["brand"] if row["answer"] == "brand" else row["answer"],
            "suggested": judged.folds.labels[suggestion],
            "score": float(judged.score[place]),
            "kind": kind,
            "partner": None if partner is None else columns[judged.index[partner]]["image"],
        }

    lines = [
        line(
            int(i),
            suggested[i],
            WRONG_NEGATIVE if judged.given[i] == background else WRONG_POSITIVE,
            None,
        )
        for i in np.flatnonzero(judged.suspected)
    ]
    for one, other in pairs:
        less, more = sorted((places[one], places[other]), key=lambda i: -judged.score[i])
        lines.append(line(less, judged.given[more], CONTRADICTION, more))
    lines.sort(key=lambda found: (-found["score"], found["image"]))
    return pa.Table.from_pylist(lines, schema=FINDS)
