"""Models by kind. Modules are imported when asked for: torch takes seconds to load."""

from importlib import import_module
from typing import cast

from ml.artifact import Artifact
from ml.errors import InputError
from ml.models.base import AnyPredictor, ModelModule

KINDS = {
    "classifier": "ml.models.classifier",
    "detector": "ml.models.detector",
    "variation": "ml.models.variation",
    "text": "ml.models.text",
    "fusion": "ml.models.fusion",
}


def model(kind: str) -> ModelModule:
    """The module of a kind.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind of model {kind!r}; known: {', '.join(KINDS)}")
    return cast(ModelModule, import_module(KINDS[kind]))


def load(artifact: Artifact) -> AnyPredictor:
    """The trained model in an artifact, ready to predict."""
    if artifact.is_exported:
        from ml.models.sessions.predictors import load as load_session

        return load_session(artifact)
    return model(artifact.kind).load(artifact)
