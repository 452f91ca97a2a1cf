"""Boxes of images by a trained network."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.ops import batched_nms, box_convert

from ml.artifact import Artifact
from ml.images import letterbox
from ml.models.base import Box, Predictions, parse_config
from ml.models.device import choose_device
from ml.models.yolo.boxed_images import Placement
from ml.models.yolo.config import Config
from ml.models.yolo.net import make_net, read_weights, to_input

BATCH = 32
# Suppression is quadratic in the worst case: only the best are given to it.
CANDIDATES = 1000


@dataclass(frozen=True)
class Found:
    """Boxes of one image, best first: boxes [m, 4] as x1 y1 x2 y2 in pixels of the square,
    classes [m], scores [m]."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


class BoxPredictor:
    """The detector in an artifact."""

    def __init__(self, artifact: Artifact) -> None:
        known = {field.name for field in fields(Config)}
        values = {name: value for name, value in artifact.config.items() if name in known}
        self._config = parse_config(Config, values | {"device": "auto"})
        self.kind, self.labels = artifact.kind, artifact.labels
        self._device = choose_device(self._config.device, threads=self._config.threads)
        net = make_net(artifact.config["network"], len(self.labels), size=self._config.size or 0)
        net.load_state_dict(read_weights(artifact))
        self._net = net.to(self._device).fuse(verbose=False)

    def predict(self, images: Sequence[Image.Image]) -> Predictions:
        """Boxes in pixels of each image, inside it, best first."""
        if not images:
            return Predictions(boxes=[])
        size = self._config.size or 0
        found = self.find(np.stack([letterbox(image, size) for image in images]))
        return Predictions(
            boxes=[self._boxes(one, image) for one, image in zip(found, images, strict=True)]
        )

    def find(self, squares: np.ndarray) -> list[Found]:
        """What `find` finds in uint8 squares [n, s, s, 3]."""
        return find(self._net, squares, self._config, self._device)

    def _boxes(self, found: Found, image: Image.Image) -> list[Box]:
        corners = Placement.of(*image.size, self._config.size or 0).out_of(found.boxes)
        corners = corners.clip(0, [*image.size] * 2)
        return [
            Box(x1, y1, x2, y2, self.labels[k], float(score))
            for (x1, y1, x2, y2), k, score in zip(
                corners.tolist(), found.classes, found.scores, strict=True
            )
        ]


def find(net: nn.Module, squares: np.ndarray, config: Config, device: torch.device) -> list[Found]:
    """The boxes in uint8 squares [n, s, s, 3] after non-maximum suppression within a brand."""
    net.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(squares), BATCH):
            batch = torch.from_numpy(squares[start : start + BATCH]).to(device)
            outputs, _ = net(to_input(batch.permute(0, 3, 1, 2)))
            found += [_suppress(output, config) for output in outputs.float()]
    return found


def _suppress(output: Tensor, config: Config) -> Found:
    """Of one image's output [4 + classes, anchors]; Ultralytics' own stops after a time limit
    and then loses boxes, which would make scans depend on the load of the machine."""
    scores, classes = output[4:].max(dim=0)
    best = scores.topk(min(CANDIDATES, len(scores))).indices
    best = best[scores[best] > config.score_floor]
    boxes = box_convert(output[:4, best].T, "cxcywh", "xyxy")
    kept = batched_nms(boxes, scores[best], classes[best], config.nms_iou)[: config.max_boxes]
    return Found(
        boxes[kept].cpu().numpy(),
        classes[best][kept].cpu().numpy(),
        scores[best][kept].cpu().numpy(),
    )
