"""Where in its input a network finds a class.

HiResCAM (Draelos & Carin, arXiv 2011.08891): gradient × activation, summed over channels, at a
stage of the network. Grad-CAM (Selvaraju et al., ICCV 2017) averages the gradient over places
first, and is usually taken at the last stage, where 80 pixels have become 3 × 3 places. At the
first stage HiResCAM puts several times as much of its energy on the feature (docs/benchmarks.md,
section Explanation): there it is the default.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ml.errors import InputError

# Below this the maps are those of a stem, not of a stage.
LEAST_REDUCTION = 4


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


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """[n, c, h, w] each → [n, h, w]; what speaks for the class is positive.

    At the last stage before a global mean and a linear layer its sum over places is the logit
    without its bias.
    """
    return (gradients * activations).sum(dim=1)
