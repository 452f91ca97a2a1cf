"""Which items a person should see next: pure functions on arrays."""

from ml.acquisition.mix import Choice, ScoredPool, select
from ml.acquisition.precision import Precision, allocate_budget, brand_precision
from ml.acquisition.strategies import (
    detector_false_alarms,
    detector_misses,
    entropy,
    hard_negatives,
    margin,
    near_threshold,
)

__all__ = [
    "Choice",
    "Precision",
    "ScoredPool",
    "allocate_budget",
    "brand_precision",
    "detector_false_alarms",
    "detector_misses",
    "entropy",
    "hard_negatives",
    "margin",
    "near_threshold",
    "select",
]
