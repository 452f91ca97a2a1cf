"""Networks, our small one and timm's: random weights, or warm from an artifact or a file."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from ml.artifact import Artifact
from ml.errors import InputError
from ml.files import write_atomically
from ml.models.config import NetConfig
from ml.models.small_resnet import SmallResNet

WEIGHTS = "weights.safetensors"
SMALL = "small_resnet"


def make_net(config: NetConfig, classes: int) -> nn.Module:
    """A network with random weights, from torch's current seed: `small_resnet` or a timm model.

    Raises:
        InputError: no such model or argument, or the weights file does not fit.
    """
    try:
        net = _create(config, classes)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise InputError(f"config: backbone {config.backbone!r}: {error}") from error
    if config.weights is not None:
        _copy(net, _read(Path(config.weights)), where=config.weights)
    return net.to(memory_format=torch.channels_last)


def _create(config: NetConfig, classes: int) -> nn.Module:
    if config.backbone == SMALL:
        return SmallResNet(num_classes=classes, **config.backbone_args)
    import timm  # seconds of imports that the small network does without

    return timm.create_model(
        config.backbone or "", pretrained=False, num_classes=classes, **config.backbone_args
    )


def warm_start(net: nn.Module, init: Artifact, labels: Sequence[str]) -> None:
    """Copy an earlier model's weights; outputs are matched by class name, so the lists may differ.

    Raises:
        InputError: the earlier model has another backbone.
    """
    state = _read(init.path(WEIGHTS))
    shared = [(labels.index(name), i) for i, name in enumerate(init.labels) if name in labels]
    own = net.state_dict()
    for name, _ in net.get_classifier().named_parameters():  # type: ignore[operator]
        full = f"{_classifier_name(net)}.{name}"
        outputs = own[full].clone()
        if full not in state or state[full].shape[1:] != outputs.shape[1:]:
            raise InputError(f"{init.directory}: its backbone differs from the one configured")
        for new, old in shared:
            outputs[new] = state[full][old]
        state[full] = outputs
    _copy(net, state, where=str(init.directory))


def save_weights(net: nn.Module, directory: Path) -> None:
    """Write the weights in one step, contiguous, from the CPU."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in net.state_dict().items()}
    write_atomically(directory / WEIGHTS, save(tensors))


def load_weights(net: nn.Module, artifact: Artifact) -> None:
    net.load_state_dict(_read(artifact.path(WEIGHTS)))


def _classifier_name(net: nn.Module) -> str:
    head = net.get_classifier()  # type: ignore[operator]
    return next(name for name, module in net.named_modules() if module is head)


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors: {error}") from error


def _copy(net: nn.Module, state: dict[str, torch.Tensor], *, where: str) -> None:
    """Copy every tensor whose name and shape fit; the classifier alone may be left out."""
    own = net.state_dict()
    head = _classifier_name(net) + "."
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    lacking = [name for name in own if name not in fitting and not name.startswith(head)]
    if lacking:
        raise InputError(f"{where}: weights of another backbone ({lacking[0]} does not fit)")
    net.load_state_dict(fitting, strict=False)
