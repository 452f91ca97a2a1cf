"""The text model: the brand from the product title, Chinese or English.

A linear softmax over hashed character n-grams of the title and the brands' names found in
it (`search`) once disguises are undone (`spelling`). Names come from the brand list; what else
tells a brand, such as its product lines, is learned from titles. Rows mean what they mean to the
classifier: unlabelled ones train nothing unless a brand is ruled out.
"""

from ml.artifact import Artifact
from ml.models.text.config import Config
from ml.models.text.predictor import TextPredictor
from ml.models.text.training import KIND, train

__all__ = ["KIND", "Config", "load", "train"]


def load(artifact: Artifact) -> TextPredictor:
    """See `ml.models.base`."""
    return TextPredictor(artifact)
