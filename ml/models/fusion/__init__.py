"""The fusion: what classifier, detector, text and variation models say of one item becomes a
brand, a score, and whether that is worth a flag.

It looks at nothing itself. It is fitted on rows that none of its models was trained on, knows
weights for every set of models that may have a say (no title, no text model), and is good for just
the models it was fitted with.
"""

from ml.artifact import Artifact
from ml.models.fusion.predictor import Fusion
from ml.models.fusion.training import KIND, Config, train

__all__ = ["KIND", "Config", "load", "train"]


def load(artifact: Artifact) -> Fusion:
    """See `ml.models.base`."""
    return Fusion(artifact)
