"""The nouns of the loop, one module each."""

from active_learning.models.dataset import DatasetVersion
from active_learning.models.jobs import (
    EmbeddingRun,
    Evaluation,
    Explanation,
    JobState,
    Scan,
    TrainingRun,
)
from active_learning.models.mirror import RunMirror
from active_learning.models.registry import ModelKind, ModelVersion, PromotionEvent, Release
from active_learning.models.rounds import Round, RoundStep, Selection

__all__ = [
    "DatasetVersion",
    "EmbeddingRun",
    "Evaluation",
    "Explanation",
    "JobState",
    "ModelKind",
    "ModelVersion",
    "PromotionEvent",
    "Release",
    "Round",
    "RoundStep",
    "RunMirror",
    "Scan",
    "Selection",
    "TrainingRun",
]
