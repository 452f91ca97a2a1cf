"""Heat maps to be compared with the one in use: other methods, other stages, and no network.

HiResCAM (Draelos & Carin, arXiv 2011.08891) is gradient × activation, summed over channels, at a
stage of the network. Grad-CAM (Selvaraju et al., ICCV 2017) averages the gradient over places
first, and is usually taken at the last stage, where 80 pixels have become 3 × 3 places.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ml.errors import InputError
from ml.explain.heat import find_maps

# Below this the maps are those of a stem, not of a stage.
LEAST_REDUCTION = 4


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """[n, c, h, w] each → [n, h, w]; what speaks for the class is positive.

    At the last stage before a global mean and a linear layer its sum over places is the logit
    without its bias.
    """
    return (gradients * activations).sum(dim=1)


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Selvaraju et al., ICCV 2017."""
    return (gradients.mean(dim=(2, 3), keepdim=True) * activations).sum(dim=1)


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Jiang et al., IEEE TIP 30, 2021."""
    return (F.relu(gradients) * activations).sum(dim=1)


IN_USE = "integrated gradients"
METHODS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "HiResCAM": hires_cam,
    "Grad-CAM": grad_cam,
    "LayerCAM": layer_cam,
}


def draw_maps(net: nn.Module, inputs: Tensor, classes: Tensor) -> dict[str, np.ndarray]:
    """By method and stage, the maps of a batch [n, 3, s, s] for its classes [n], [n, s, s]."""
    size = inputs.shape[-1]
    found = activations_and_gradients(net, inputs, classes, stages(net))
    maps = {
        f"{name}, stage {number}": to_squares(method(*of), size)
        for name, method in METHODS.items()
        for number, of in enumerate(found, 1)
    }
    return maps | {IN_USE: find_maps(net, inputs, classes)}


def stages(net: nn.Module) -> list[nn.Module]:
    """The stages of a network, finest first, of those that have maps of features.

    Raises:
        InputError: it has none, as transformers of patches do.
    """
    described: Sequence[Any] = getattr(net, "feature_info", ())
    found = [one["module"] for one in described if one["reduction"] >= LEAST_REDUCTION]
    if not found:
        raise InputError(f"{type(net).__name__}: no stages to explain it by")
    return [net.get_submodule(name) for name in found]


def activations_and_gradients(
    net: nn.Module, inputs: Tensor, classes: Tensor, at: Sequence[nn.Module]
) -> list[tuple[Tensor, Tensor]]:
    """Of each stage in `at` its output, and the gradient of each input's logit of its class by it.

    Args:
        inputs: [n, 3, s, s].
        classes: int64 [n].

    Returns:
        for each stage two tensors [n, c, h, w].

    Raises:
        InputError: a stage's output is no map.
    """
    outputs: list[Tensor] = []
    hooks = [
        stage.register_forward_hook(lambda _, __, output: outputs.append(output)) for stage in at
    ]
    try:
        with torch.enable_grad():
            logits = net(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    # Inputs are square, so maps are; what has its channels last is not.
    if any(output.ndim != 4 or output.shape[2] != output.shape[3] for output in outputs):
        raise InputError(f"{type(net).__name__}: its stages have no maps to explain it by")
    # Images do not influence each other in evaluation mode: the gradient of the sum is each one's.
    gradients = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), outputs)
    return [(o.detach(), g) for o, g in zip(outputs, gradients, strict=True)]


def to_squares(maps: Tensor, size: int) -> np.ndarray:
    """What is positive in maps [n, h, w], float32 [n, size, size]."""
    large = F.interpolate(maps.clamp(min=0)[:, None], size=(size, size), mode="bilinear")
    return large[:, 0].float().cpu().numpy()


def shuffled(net: nn.Module, seed: int) -> nn.Module:
    """A copy whose weights are those of the network, each tensor's in random order: as large, and
    nothing learned."""
    generator = torch.Generator().manual_seed(seed)
    copy = deepcopy(net)
    with torch.no_grad():
        for weights in copy.parameters():
            order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
            weights.copy_(weights.flatten()[order].reshape(weights.shape))
    return copy


def middle(width: int, height: int) -> np.ndarray:
    """[height, width]: a Gaussian in the middle, its deviation a quarter of each side."""
    x, y = (np.linspace(-2, 2, side) for side in (width, height))
    return np.asarray(np.exp(-(x[None] ** 2 + y[:, None] ** 2) / 2))
