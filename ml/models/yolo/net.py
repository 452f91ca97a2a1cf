"""YOLO networks: built from a YAML file with random weights, saved, loaded, warm-started."""

import math
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from ultralytics.cfg import __file__ as ultralytics_cfg
from ultralytics.nn.modules import Detect
from ultralytics.nn.tasks import DetectionModel

from ml.artifact import Artifact
from ml.errors import InputError
from ml.models.backbone import WEIGHTS
from ml.models.yolo.config import Config

_OWN = Path(__file__).parent
_THEIRS = Path(ultralytics_cfg).parent / "models"


def read_network(config: Config) -> dict[str, Any]:
    """The layers of the configured network, as Ultralytics reads them.

    `config.net` is `csp`, `csp_small`, or a detection network of Ultralytics: `yolov3`, `yolo11` …

    Raises:
        InputError: there is no such network.
    """
    theirs = sorted(_THEIRS.glob(f"*/{config.net}.yaml"))
    found = [path for path in (_OWN / f"{config.net}.yaml", *theirs) if path.is_file()]
    if not found:
        raise InputError(f"config: unknown network {config.net!r}; known: {', '.join(_known())}")
    layers = yaml.safe_load(found[0].read_text())
    layers.pop("scales", None)
    return layers | {
        "width_multiple": config.width,
        "depth_multiple": config.depth,
        "reg_max": config.distances,
        # Their head for prediction without non-maximum suppression is not trained here.
        "end2end": False,
    }


def make_net(network: dict[str, Any], classes: int, *, size: int) -> DetectionModel:
    """A network with random weights, from torch's current seed.

    Raises:
        InputError: it is not one that detects boxes, or `size` does not fit its strides.
    """
    net = DetectionModel(deepcopy(network), nc=classes, verbose=False)
    _, head = _head(net)
    _set_biases(head)
    _freeze_bins(head)
    coarsest = int(head.stride.max())
    if size % coarsest:
        raise InputError(f"config: size must be a multiple of {coarsest} for this network")
    return net.to(memory_format=torch.channels_last)


def warm_start(net: DetectionModel, labels: Sequence[str], *, init: Artifact) -> None:
    """Copy an earlier model's weights; its outputs are matched by brand, so the lists may differ.

    The width of the class branch depends on the number of brands, so there the part that both
    have is copied.

    Raises:
        InputError: the earlier model is another network.
    """
    earlier = read_weights(init)
    own = net.state_dict()
    place, head = _head(net)
    branch = f"{place}.cv3."
    last = {f"{branch}{i}.{len(part) - 1}" for i, part in enumerate(head.cv3)}
    rows = [(labels.index(name), i) for i, name in enumerate(init.labels) if name in labels]
    for name, tensor in own.items():
        if name not in earlier or (
            earlier[name].shape != tensor.shape and not name.startswith(branch)
        ):
            raise InputError(f"{init.directory}: another network ({name} does not fit)")
        if name.rpartition(".")[0] in last:
            for new, old in rows:
                _copy_shared(tensor[new], earlier[name][old])
        else:
            _copy_shared(tensor, earlier[name])


def to_input(images: torch.Tensor) -> torch.Tensor:
    """uint8 [n, 3, s, s] → float32 in [0, 1], channels last in memory."""
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


def read_weights(artifact: Artifact) -> dict[str, torch.Tensor]:
    """The tensors of an artifact by name.

    Raises:
        InputError: the file cannot be read.
    """
    path = artifact.path(WEIGHTS)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors: {error}") from error


def _head(net: DetectionModel) -> tuple[str, Any]:
    """Where the network's detecting layer is, and the layer."""
    for name, module in net.named_modules():
        if type(module) is Detect:
            return name, module
    raise InputError("config: this network does not detect boxes")


def _set_biases(head: Any) -> None:
    """Every anchor point starts as 1% likely (RetinaNet's prior) and with a small box.

    Ultralytics starts at about 0.01% and boxes of half the bins, fit for 640-pixel pictures and
    long trainings; from there, a few hundred steps find next to nothing.
    """
    shrinking = -0.3 * torch.arange(float(head.reg_max)).repeat(4)
    for box, scores in zip(head.cv2, head.cv3, strict=True):
        nn.init.constant_(scores[-1].bias, -math.log(0.99 / 0.01))
        box[-1].bias.data.copy_(shrinking)


def _freeze_bins(head: Any) -> None:
    """The numbers of the distance bins are no weights: as a buffer no optimizer sees them."""
    if head.reg_max > 1:
        bins = head.dfl.conv.weight.data
        del head.dfl.conv.weight
        head.dfl.conv.register_buffer("weight", bins)


def _copy_shared(target: torch.Tensor, source: torch.Tensor) -> None:
    """Copy the leading part of every axis that both have."""
    shared = tuple(slice(0, min(a, b)) for a, b in zip(target.shape, source.shape, strict=True))
    target[shared] = source[shared] if shared else source


def _known() -> list[str]:
    return [*sorted(path.stem for path in _OWN.glob("*.yaml")), "yolov3", "yolov8", "yolo11"]
