"""Random views of boxed images: Ultralytics' augmentations, as batches."""

import random
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from ultralytics.data.augment import Compose, Format, v8_transforms
from ultralytics.utils import IterableSimpleNamespace
from ultralytics.utils.instance import Instances

from ml.models.yolo.boxed_images import BoxedImages
from ml.models.yolo.config import ViewConfig
from ml.models.yolo.net import to_input


class Views:
    """Batches in Ultralytics' form, drawn from (images, seed) alone."""

    def __init__(self, images: BoxedImages, config: ViewConfig) -> None:
        self._source = _Source(images)
        size = images.images.shape[1]
        self._show = Compose(
            [
                *v8_transforms(self._source, size, _settings(config)).transforms,
                Format(bbox_format="xywh", normalize=True),
            ]
        )

    def batch(self, rows: np.ndarray, *, among: np.ndarray, seed: int) -> dict[str, Tensor]:
        """Views of `rows`; mosaic and mix-up draw their partners from the rows `among`.

        Returns:
            `img` float32 [n, 3, s, s] in [0, 1], and of all boxes: `bboxes` [m, 4] as centre,
            width and height in shares of the side, `cls` [m, 1], `batch_idx` [m].
        """
        self._source.partners = among
        # Ultralytics draws from both global generators.
        random.seed(seed)
        np.random.seed(seed % 2**32)
        views = [self._show(self._source.labelled(int(row))) for row in rows]
        counts = torch.tensor([len(view["cls"]) for view in views])
        return {
            "img": to_input(torch.stack([view["img"] for view in views])),
            "cls": torch.cat([view["cls"].view(-1, 1).float() for view in views]),
            "bboxes": torch.cat([view["bboxes"].float() for view in views]),
            "batch_idx": torch.repeat_interleave(torch.arange(len(views)), counts).float(),
        }


class _Source:
    """What Ultralytics' augmentations ask of a data set."""

    def __init__(self, images: BoxedImages) -> None:
        self._images = images
        self.data: dict[str, Any] = {}
        self.partners = np.arange(len(images))
        # All images are in memory: any partner may be drawn.
        self.cache = "ram"

    def __len__(self) -> int:
        return len(self.partners)

    def get_image_and_label(self, index: int) -> dict[str, Any]:
        return self.labelled(int(self.partners[index]))

    def labelled(self, row: int) -> dict[str, Any]:
        # BGR, which their colour jitter expects and Format turns back.
        image = cv2.cvtColor(self._images.images[row], cv2.COLOR_RGB2BGR)
        shape = image.shape[:2]
        no_segments = np.zeros((0, 1000, 2), np.float32)
        return {
            "img": image,
            "im_file": str(row),
            "ori_shape": shape,
            "resized_shape": shape,
            "cls": self._images.classes[row].astype(np.float32)[:, None],
            "instances": Instances(
                self._images.boxes[row].copy(), no_segments, bbox_format="xyxy", normalized=False
            ),
        }


def _settings(config: ViewConfig) -> IterableSimpleNamespace:
    return IterableSimpleNamespace(
        mosaic=config.mosaic, mixup=config.mixup, fliplr=config.flip, translate=config.translate,
        scale=config.scale, hsv_h=config.hue, hsv_s=config.saturation, hsv_v=config.value,
        flipud=0.0, degrees=0.0, shear=0.0, perspective=0.0, cutmix=0.0, copy_paste=0.0,
        copy_paste_mode="flip",
        # None would mean: more of them where the package albumentations happens to be installed.
        augmentations=[],
    )  # fmt: skip
