"""A scan of the pool as arrays, and the operating points of the release that made it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from active_learning.models import Release
from annotation.models import Brand, Image


@dataclass(frozen=True)
class Scanned:
    """A scan of the pool as arrays, row by row the same image."""

    release: Release
    table: pa.Table
    image_ids: np.ndarray
    brands: list[str]
    scores: np.ndarray

    def has(self, name: str) -> bool:
        """Whether the scan has the column: those of a model not in the release are absent."""
        return name in self.table.column_names

    def column(self, name: str) -> np.ndarray:
        return self.table[name].to_numpy()

    def boxes(self, row: int) -> list[dict]:
        if not self.has("detector_boxes"):
            return []
        return self.table["detector_boxes"][row].as_py() or []


def read_scan(table: pa.Table, release: Release) -> Scanned:
    ids = dict(Image.objects.filter(split=Image.Split.POOL).values_list("sha256", "pk"))
    known = pa.array([sha in ids for sha in table["sha256"].to_pylist()])
    table = table.filter(known)  # images that left the pool since are not asked again
    brands = release.brands
    column = {brand: index for index, brand in enumerate(brands)}
    scores = np.zeros((table.num_rows, len(brands)), dtype=np.float32)
    if "classifier_brands" in table.column_names:
        for row, (keys, values) in enumerate(
            zip(
                table["classifier_brands"].to_pylist(),
                table["classifier_scores"].to_pylist(),
                strict=True,
            )
        ):
            for key, value in zip(keys, values, strict=True):
                if key in column:
                    scores[row, column[key]] = value
    image_ids = np.array([ids[sha] for sha in table["sha256"].to_pylist()], dtype=int)
    return Scanned(release=release, table=table, image_ids=image_ids, brands=brands, scores=scores)


def threshold_of(release: Release, kind: str, brand: str = "*") -> float:
    """The operating point of a brand, or the common one."""
    thresholds = release.thresholds.get(kind, {})
    return thresholds.get(brand, thresholds.get("*", 0.5))


def brands_by_key(keys: list[str]) -> dict[str, Brand]:
    return {brand.key: brand for brand in Brand.objects.filter(key__in=keys)}
