"""A scan's shards as a pool to choose from, of which the scores alone are held in memory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ml.acquisition.pool import ScoredPool, embeddings_in, group_codes, top_brands
from ml.errors import InputError

NAMES = "classifier_brands.list.element"
SCORES = ["group", "classifier_brands", "classifier_scores", "classifier_none"]


def read_pool(
    shards: Sequence[Path],
    *,
    brands: Sequence[str],
    thresholds: np.ndarray,
    probe_hits: np.ndarray,
    probe_draws: np.ndarray,
    focus: tuple[int, ...] = (),
) -> ScoredPool:
    """
    Raises:
        InputError: a shard is missing, or has no scores of a classifier.
    """
    parts = [_scores(shard, brands) for shard in shards]
    top, scores, background, groups = (
        [part[column] for part in parts] for column in ("brands", "scores", "background", "groups")
    )
    return ScoredPool(
        brands=np.concatenate(top),
        scores=np.concatenate(scores),
        background=np.concatenate(background),
        groups=group_codes(pa.chunked_array(groups)),
        thresholds=thresholds,
        probe_hits=probe_hits,
        probe_draws=probe_draws,
        focus=focus,
        embeddings=OnDisk(shards, [len(part["background"]) for part in parts]),
    )


def _scores(shard: Path, brands: Sequence[str]) -> dict:
    try:
        # Names as codes: there are five an item, and few different ones.
        table = pq.read_table(shard, columns=SCORES, read_dictionary=[NAMES])
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{shard}: not a shard with a classifier's scores: {error}") from error
    top, scores = top_brands(table["classifier_brands"], table["classifier_scores"], brands)
    return {
        "brands": top,
        "scores": scores,
        "background": table["classifier_none"].to_numpy(),
        "groups": table["group"].combine_chunks(),
    }


class OnDisk:
    """Embeddings that are read when they are asked for: of millions, a selection looks at the few
    thousand that score highest. Those once read are kept."""

    def __init__(self, shards: Sequence[Path], rows: Sequence[int]) -> None:
        self._shards = shards
        self._starts = np.concatenate([[0], np.cumsum(rows)])
        self._known: dict[int, np.ndarray] = {}

    def __call__(self, items: np.ndarray) -> np.ndarray:
        """float32 (m, d) of the items (m,)."""
        asked = items.tolist()
        new = np.array(sorted({item for item in asked if item not in self._known}), int)
        of_shard = np.searchsorted(self._starts, new, side="right") - 1
        for number in np.unique(of_shard):
            mine = new[of_shard == number]
            column = pq.read_table(self._shards[number], columns=["embedding"])["embedding"]
            looks = embeddings_in(column)(mine - self._starts[number])
            self._known.update(zip(mine.tolist(), looks, strict=True))
        return np.stack([self._known[item] for item in asked])
