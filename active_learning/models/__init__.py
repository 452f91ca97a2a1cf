"""The nouns of the loop, one module each."""

from active_learning.models.dataset import DatasetVersion
from active_learning.models.forecasts import Forecast, Worth
from active_learning.models.jobs import (
    DatasetExport,
    EmbeddingRun,
    Evaluation,
    JobState,
    Scan,
    TrainingRun,
)
from active_learning.models.registry import ModelKind, ModelVersion, PromotionEvent, Release
from active_learning.models.rounds import Round, RoundStep, Selection

__all__ = [
    "DatasetExport",
    "DatasetVersion",
    "EmbeddingRun",
    "Evaluation",
    "Forecast",
    "JobState",
    "ModelKind",
    "ModelVersion",
    "PromotionEvent",
    "Release",
    "Round",
    "RoundStep",
    "Scan",
    "Selection",
    "TrainingRun",
    "Worth",
]
