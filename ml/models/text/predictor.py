"""Prediction of brands from titles."""

import json
from collections.abc import Sequence

from ml.artifact import Artifact
from ml.models.base import Predictions, parse_config
from ml.models.calibration import softmax
from ml.models.text.config import Config
from ml.models.text.features import featurise
from ml.models.text.net import Weights
from ml.models.text.search import AliasSearch

ALIASES = "aliases.json"


class TextPredictor:
    """Class probabilities of titles."""

    def __init__(self, artifact: Artifact) -> None:
        self.kind, self.labels = artifact.kind, artifact.labels
        self._config = parse_config(Config, artifact.config)
        self._search = read_search(artifact)
        self._weights = Weights.read(artifact)
        self._temperature = float(artifact.calibration.get("temperature", 1.0))

    def predict_titles(self, titles: Sequence[str]) -> Predictions:
        features = featurise(
            titles,
            self._search,
            brands=len(self.labels) - 1,
            bits=self._config.bits,
            orders=self._config.orders,
        )
        return Predictions(softmax(self._weights.logits(features), self._temperature))


def read_search(artifact: Artifact) -> AliasSearch:
    """The search for the names that an artifact was trained with."""
    aliases = json.loads(artifact.path(ALIASES).read_text(encoding="utf-8"))
    return AliasSearch([aliases[label] for label in artifact.labels[:-1]])
