"""Where in its input a network finds a class: integrated gradients (Sundararajan et al., ICML
2017), from a blurred picture to the picture. They ask nothing of a network but a gradient, so
transformers of patches are explained as convolutions are, and of all maps that were tried they put
most of their energy on the feature (docs/benchmarks.md, section Explanation).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS = 8


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
