"""Which items a person should see next: pure functions on arrays."""

from ml.acquisition.mix import DEFAULT_MIX, STRATEGIES, Choice, select
from ml.acquisition.pool import (
    Embeddings,
    KnownPositives,
    ScoredPool,
    TopScores,
    embeddings_in,
    group_codes,
    top_boxes,
    top_brands,
)
from ml.acquisition.precision import Precision, allocate_budget, brand_precision
from ml.acquisition.strategies import (
    detector_false_alarms,
    detector_misses,
    entropy,
    margin,
    near_threshold,
    small_logos,
)
from ml.acquisition.suspects import SUSPECTED, left_out_chances, suspicion

__all__ = [
    "DEFAULT_MIX",
    "STRATEGIES",
    "SUSPECTED",
    "Choice",
    "Embeddings",
    "KnownPositives",
    "Precision",
    "ScoredPool",
    "TopScores",
    "allocate_budget",
    "brand_precision",
    "detector_false_alarms",
    "detector_misses",
    "embeddings_in",
    "entropy",
    "group_codes",
    "left_out_chances",
    "margin",
    "near_threshold",
    "select",
    "small_logos",
    "suspicion",
    "top_boxes",
    "top_brands",
]
