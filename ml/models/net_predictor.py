"""Prediction with a trained timm network."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ml.artifact import Artifact
from ml.models.attacks import probe_of
from ml.models.augment import normalise, to_input
from ml.models.backbone import load_weights, make_net
from ml.models.base import Predictions, SquarePredictor, parse_config
from ml.models.config import NetConfig
from ml.models.device import choose_device
from ml.models.outputs import classified


class NetPredictor(SquarePredictor):
    """Class probabilities and embeddings (L2-normalised penultimate features).

    Attributes:
        net: the network, on `device`.
    """

    def __init__(self, artifact: Artifact, config_class: type[NetConfig]) -> None:
        config = parse_config(config_class, artifact.config | {"weights": None, "device": "auto"})
        self.kind, self.labels = artifact.kind, artifact.labels
        self.side = config.size or 0
        self.device = choose_device(config.device, threads=1)
        self.net = make_net(config, len(self.labels))
        load_weights(self.net, artifact)
        self.net.to(self.device).eval()
        self._temperature = float(artifact.calibration.get("temperature", 1.0))
        self._attacks = probe_of(artifact.calibration)

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """See `ml.models.base.Predictor`."""
        logits, features = forward(self.net, squares, self.device)
        return classified(logits, features, self._temperature, self._attacks)

    def output_of(self, label: int) -> int:
        """The network's output that speaks for a label, by their places."""
        return label


def forward(
    net: nn.Module, squares: np.ndarray, device: torch.device, *, batch_size: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Logits [n, k] and penultimate features [n, d], float32, of uint8 squares [n, s, s, 3]."""
    net.eval()
    logits, features = [], []
    with torch.inference_mode():
        for start in range(0, len(squares), batch_size):
            batch = torch.from_numpy(squares[start : start + batch_size]).to(device)
            pooled, scores = outputs(net, batch)
            features.append(pooled.float().cpu().numpy())
            logits.append(scores.float().cpu().numpy())
    return np.concatenate(logits), np.concatenate(features)


def outputs(net: nn.Module, squares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Penultimate features [n, d] and logits [n, k] of uint8 squares [n, s, s, 3]."""
    maps = net.forward_features(normalise(to_input(squares)))  # type: ignore[operator]
    pooled = net.forward_head(maps, pre_logits=True)  # type: ignore[operator]
    return pooled, net.get_classifier()(pooled)  # type: ignore[operator]
