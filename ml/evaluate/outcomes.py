"""What a model made of each row: all that measures need, without the score matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ml.evaluate.recall import flagged, hits


@dataclass(frozen=True)
class Outcomes:
    """Arrays over the same n rows, in the manifest's order.

    Attributes:
        split: closed | open | business.
        truth: the row's brand, or for the variation model collage | stack; "" for neither.
        known: the truth is known (a row that nobody answered is neither right nor wrong).
        said: the name with the highest score; "" where all scores are 0.
        score: that score.
        own: `said` is the truth (of the variation model: the row is a variation at all).
        right: as `own`, or a further brand that the image also shows.
        hit: `own`, and over the threshold.
        flagged: the highest score is over its threshold.
        counted: an open row that the flag ratio is reported on.
        group: number of its group of near-duplicates.
    """

    split: np.ndarray
    truth: np.ndarray
    known: np.ndarray
    said: np.ndarray
    score: np.ndarray
    own: np.ndarray
    right: np.ndarray
    hit: np.ndarray
    flagged: np.ndarray
    counted: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.split)

    def of(self, mask: np.ndarray) -> "Outcomes":
        return Outcomes(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})

    def branded(self, split: str) -> "Outcomes":
        """The rows of a split that have something to be found."""
        return self.of((self.split == split) & (self.truth != ""))

    @property
    def measured(self) -> "Outcomes":
        """The open rows that flag ratios are reported on."""
        return self.of(self.counted)


def outcomes(
    *,
    names: Sequence[str],
    scores: np.ndarray,
    limits: np.ndarray,
    columns: dict[str, np.ndarray],
    variations: tuple[np.ndarray, np.ndarray] | None = None,
) -> Outcomes:
    """
    Args:
        names, scores, limits: [k], [n, k], [k] thresholds.
        columns: the manifest's `split` `answer` `brand` `also` `variation`, object [n], and the
            ready `counted` and `group`.
        variations: of the variation model, whose one score is that of being one: bool [n], the
            rows known to be, and bool [n], those where it is known.
    """
    top = scores.argmax(axis=1) if len(names) else np.zeros(len(scores), int)
    score = scores[np.arange(len(scores)), top] if len(names) else np.zeros(len(scores))
    said = np.array([*names, ""], dtype=object)[np.where(score > 0, top, len(names))]
    over = flagged(scores, limits)
    if variations is not None:
        arranged, known = variations
        truth = np.where(arranged, columns["variation"], "")
        own = right = arranged
        hit = arranged & over
    else:
        branded = columns["answer"] == "brand"
        truth = np.where(branded, columns["brand"], "")
        known = np.isin(columns["answer"].astype(str), ["brand", "none", "other"])
        own = branded & (said == truth)
        pairs = zip(said, columns["also"], strict=True)
        right = own | np.array([name in (others or ()) for name, others in pairs], bool)
        place = {name: i for i, name in enumerate(names)}
        hit = hits(scores, np.array([place.get(name, -1) for name in truth], int), limits)
    return Outcomes(
        split=columns["split"],
        truth=truth,
        known=known,
        said=said,
        score=score.astype(float),
        own=own,
        right=right,
        hit=hit,
        flagged=over,
        counted=columns["counted"],
        group=columns["group"],
    )
