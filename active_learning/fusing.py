"""The champion's fusion, fitted anew whenever its models change: a training like any other, whose
end is a candidate of the same models with it."""

import logging

from active_learning import fusions, promotion, training
from active_learning.models import ModelKind, Release, TrainingRun
from active_learning.sentences import Sentence, sentence
from annotation.models import Image

logger = logging.getLogger(__name__)


def why() -> Sentence:
    """What a run that nobody asked for was asked for by."""
    return sentence("the champion's models have changed")


def due_release() -> Release | None:
    """The champion, where no fusion of its models was tried yet, whatever came of that. Without an
    open set there is nothing to fit thresholds on."""
    release = promotion.champion()
    if release is None or release.fusion_id is not None or not fusions.can_be_fitted(release):
        return None
    if not Image.objects.filter(split=Image.Split.OPEN).exists():
        return None
    models = fusions.recipe(release)["models"]
    tried = TrainingRun.objects.filter(kind=ModelKind.FUSION, config__models=models)
    return None if tried.exists() else release


def start() -> TrainingRun | None:
    """Queue the fusion of the champion's models. None where somebody was quicker, or there is
    nothing to fit."""
    try:
        run = training.request_training(
            kind=ModelKind.FUSION.value, trigger=TrainingRun.Trigger.PROMOTION, why=why()
        )
    except training.TrainingError as error:
        logger.info("fusion: not started: %s", error)
        return None
    logger.info("%s: the champion's models have changed", run)
    return run


def is_of_champion(run: TrainingRun) -> bool:
    """Whether a fusion was fitted on the models that the champion has."""
    release = promotion.champion()
    return release is not None and fusions.recipe(release)["models"] == run.config["models"]
