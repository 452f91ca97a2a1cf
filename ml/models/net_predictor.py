"""Prediction with a trained timm network."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn

from ml.artifact import Artifact
from ml.images import letterbox
from ml.models.augment import normalise, to_input
from ml.models.backbone import load_weights, make_net
from ml.models.base import Predictions, parse_config
from ml.models.calibration import softmax
from ml.models.config import NetConfig
from ml.models.device import choose_device


class NetPredictor:
    """Class probabilities and embeddings (L2-normalised penultimate features)."""

    def __init__(self, artifact: Artifact, config_class: type[NetConfig]) -> None:
        config = parse_config(config_class, artifact.config | {"weights": None, "device": "auto"})
        self.kind, self.labels = artifact.kind, artifact.labels
        self._device = choose_device(config.device, threads=config.threads)
        net = make_net(config, len(self.labels))
        load_weights(net, artifact)
        self._net = net.to(self._device).eval()
        self._size = config.size or 0
        self._temperature = float(artifact.calibration.get("temperature", 1.0))

    def predict(self, images: Sequence[Image.Image]) -> Predictions:
        squares = np.stack([letterbox(image, self._size) for image in images])
        logits, features = forward(self._net, squares, self._device)
        return Predictions(softmax(logits, self._temperature), normalised(features))


def forward(
    net: nn.Module, squares: np.ndarray, device: torch.device, *, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Logits [n, k] and penultimate features [n, d], float32, of uint8 squares [n, s, s, 3]."""
    net.eval()
    logits, features = [], []
    with torch.inference_mode():
        for start in range(0, len(squares), batch_size):
            batch = torch.from_numpy(squares[start : start + batch_size]).to(device)
            maps = net.forward_features(normalise(to_input(batch)))  # type: ignore[operator]
            pooled = net.forward_head(maps, pre_logits=True)  # type: ignore[operator]
            features.append(pooled.float().cpu().numpy())
            logits.append(net.get_classifier()(pooled).float().cpu().numpy())  # type: ignore[operator]
    return np.concatenate(logits), np.concatenate(features)


def normalised(features: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a zero row stays zero."""
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(length, 1e-12)
