"""The nouns of the loop, one module each."""

from active_learning.models.coldstarts import ColdStart
from active_learning.models.dataset import DatasetCoverage, DatasetVersion
from active_learning.models.forecasts import Forecast, Worth
from active_learning.models.jobs import (
    DatasetExport,
    EmbeddingRun,
    Evaluation,
    Explanation,
    JobState,
    Scan,
    TrainingRun,
)
from active_learning.models.mirror import RunMirror
from active_learning.models.monitoring import Alert, Delivery, Measure, Measurement
from active_learning.models.registry import (
    TRAINED_ALONE,
    ModelKind,
    ModelVersion,
    PromotionEvent,
    Release,
)
from active_learning.models.rounds import Round, RoundStep, Selection
from active_learning.models.shadows import Shadow
from active_learning.models.sources import Source, SourceRun

__all__ = [
    "TRAINED_ALONE",
    "Alert",
    "ColdStart",
    "DatasetCoverage",
    "DatasetExport",
    "DatasetVersion",
    "Delivery",
    "EmbeddingRun",
    "Evaluation",
    "Explanation",
    "Forecast",
    "JobState",
    "Measure",
    "Measurement",
    "ModelKind",
    "ModelVersion",
    "PromotionEvent",
    "Release",
    "Round",
    "RoundStep",
    "RunMirror",
    "Scan",
    "Selection",
    "Shadow",
    "Source",
    "SourceRun",
    "TrainingRun",
    "Worth",
]
