"""Heat maps to be compared with the one in use: other methods, other stages, and no network."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from torch.nn import functional as F

from ml.explain.attribution import activations_and_gradients, hires_cam, stages
from ml.explain.heat import to_squares

STEPS = 8  # of integrated gradients


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Selvaraju et al., ICCV 2017."""
    return (gradients.mean(dim=(2, 3), keepdim=True) * activations).sum(dim=1)


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Jiang et al., IEEE TIP 30, 2021."""
    return (F.relu(gradients) * activations).sum(dim=1)


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
    gradients = integrated_gradients(net, inputs, classes).cpu().numpy()
    smooth = gaussian_filter(gradients, (0, size / 40, size / 40))
    return maps | {"integrated gradients": np.maximum(smooth, 0)}


def integrated_gradients(net: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    """[n, s, s]: what each pixel adds on the way from the blurred picture to the sharp one
    (Sundararajan et al., ICML 2017)."""
    start = blurred(inputs)
    total = torch.zeros_like(inputs)
    for step in range(STEPS):
        between = start + (inputs - start) * (step + 0.5) / STEPS
        between.requires_grad_()
        said = net(between).gather(1, classes[:, None]).sum()
        total += torch.autograd.grad(said, between)[0] / STEPS
    return ((inputs - start) * total).sum(dim=1)


def blurred(inputs: Tensor) -> Tensor:
    """The mean over a square of a quarter of the side, twice."""
    reach = inputs.shape[-1] // 8
    for _ in range(2):
        padded = F.pad(inputs, [reach] * 4, mode="replicate")
        inputs = F.avg_pool2d(padded, 2 * reach + 1, stride=1)
    return inputs


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
