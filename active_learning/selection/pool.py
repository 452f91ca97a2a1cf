"""A scan of the pool as arrays, and the operating points of the release that made it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from active_learning.models import Release
from annotation.models import Brand, Image
from ml.acquisition import top_brands


@dataclass(frozen=True)
class Scanned:
    """A scan of the pool as arrays, row by row the same image.

    Attributes:
        brands: keys of the release's brand list.
        top, scores: (n, k) the brands that score highest, as places in `brands`, best first, and
            their probabilities; see `ml.acquisition.ScoredPool`.
    """

    release: Release
    table: pa.Table
    image_ids: np.ndarray
    brands: list[str]
    top: np.ndarray
    scores: np.ndarray

    def has(self, name: str) -> bool:
        """Whether the scan has the column: those of a model not in the release are absent."""
        return name in self.table.column_names

    def column(self, name: str) -> np.ndarray:
        return self.table[name].to_numpy()

    def score_of(self, row: int, brand: int) -> float:
        """What the classifier gives a brand; 0 where that is not among its best."""
        return float(self.scores[row, self.top[row] == brand].sum())

    def boxes(self, row: int) -> list[dict]:
        if not self.has("detector_boxes"):
            return []
        return self.table["detector_boxes"][row].as_py() or []


def read_scan(table: pa.Table, release: Release) -> Scanned:
    ids = dict(Image.objects.filter(split=Image.Split.POOL).values_list("sha256", "pk"))
    known = pa.array([sha in ids for sha in table["sha256"].to_pylist()])
    table = table.filter(known)  # images that left the pool since are not asked again
    top, scores = np.zeros((2, table.num_rows, 0))
    if "classifier_brands" in table.column_names:
        top, scores = top_brands(
            table["classifier_brands"], table["classifier_scores"], release.brands
        )
    return Scanned(
        release=release,
        table=table,
        image_ids=np.array([ids[sha] for sha in table["sha256"].to_pylist()], dtype=int),
        brands=release.brands,
        top=top,
        scores=scores,
    )


def threshold_of(release: Release, kind: str, brand: str = "*") -> float:
    """The operating point of a brand, or the common one."""
    thresholds = release.thresholds.get(kind, {})
    return thresholds.get(brand, thresholds.get("*", 0.5))


def brands_by_key(keys: list[str]) -> dict[str, Brand]:
    return {brand.key: brand for brand in Brand.objects.filter(key__in=keys)}
