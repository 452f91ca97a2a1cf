"""Boxes of images by a trained network."""

from collections.abc import Sequence
from dataclasses import asdict, fields

import numpy as np
import torch
from torch import nn

from ml.artifact import Artifact
from ml.models.base import Predictions, SquarePredictor, parse_config
from ml.models.device import choose_device
from ml.models.suppression import Found, Keep, image_boxes, suppress
from ml.models.yolo.config import Config
from ml.models.yolo.net import make_net, read_weights, to_input

BATCH = 32


class BoxPredictor(SquarePredictor):
    """The detector in an artifact."""

    def __init__(self, artifact: Artifact) -> None:
        known = {field.name for field in fields(Config)}
        values = {name: value for name, value in artifact.config.items() if name in known}
        self._config = parse_config(Config, values | {"device": "auto"})
        self.kind, self.labels = artifact.kind, artifact.labels
        self.side = self._config.size or 0
        self._device = choose_device(self._config.device, threads=1)
        net = make_net(artifact.config["network"], len(self.labels), size=self.side)
        net.load_state_dict(read_weights(artifact))
        self.net = net.to(self._device).fuse(verbose=False).eval()

    def predict_squares(self, squares: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Predictions:
        """Boxes in pixels of each image, inside it, best first."""
        found = find(self.net, squares, self._config, self._device)
        return Predictions(
            boxes=[
                image_boxes(one, size, self.side, self.labels)
                for one, size in zip(found, sizes, strict=True)
            ]
        )


def find(net: nn.Module, squares: np.ndarray, config: Config, device: torch.device) -> list[Found]:
    """The boxes in uint8 squares [n, s, s, 3] after non-maximum suppression within a brand."""
    net.eval()
    keep = Keep.of(asdict(config))
    found = []
    with torch.inference_mode():
        for start in range(0, len(squares), BATCH):
            batch = torch.from_numpy(squares[start : start + BATCH]).to(device)
            outputs, _ = net(to_input(batch.permute(0, 3, 1, 2)))
            found += [suppress(output, keep) for output in outputs.float().cpu().numpy()]
    return found
