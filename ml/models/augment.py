"""Random views of a batch, on the device, in one resampling."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ml.models.config import NetConfig

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


def to_input(squares: Tensor) -> Tensor:
    """uint8 [n, s, s, 3] → float32 [n, 3, s, s] in [0, 1], channels last in memory."""
    return squares.permute(0, 3, 1, 2).float() / 255


def normalise(images: Tensor) -> Tensor:
    """[0, 1] → the scale that ImageNet weights expect, which random weights take as well."""
    mean = torch.tensor(MEAN, device=images.device)[:, None, None]
    deviation = torch.tensor(DEVIATION, device=images.device)[:, None, None]
    return ((images - mean) / deviation).contiguous(memory_format=torch.channels_last)


def augment(images: Tensor, config: NetConfig, *, size: int) -> Tensor:
    """Crop, shift, rotate, flip and jitter each image by its own draws from torch's generator.

    Args:
        images: [n, 3, s, s] in [0, 1].
        size: side of the result.
    """
    shape = [len(images), 3, size, size]
    grid = F.affine_grid(_affines(images, config), shape, align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return jitter(moved, config.jitter)


def jitter(images: Tensor, strength: float) -> Tensor:
    """Brightness, contrast and saturation changed by a factor in 1 ± strength each."""
    brightness, contrast, saturation = 1 + strength * (
        2 * torch.rand(3, len(images), 1, 1, 1, device=images.device) - 1
    )
    images = images * brightness
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * contrast
    grey = images.mean(dim=1, keepdim=True)
    return (grey + (images - grey) * saturation).clamp(0, 1)


def mix_up(
    images: Tensor, targets: Tensor, excluded: Tensor, *, strength: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Each image mixed with another of the batch, and its targets likewise (Zhang et al. 2018,
    "mixup: Beyond empirical risk minimization"), one share for all from torch's generator.

    A row whose answer is not known stays as it is, and so does what would be mixed with one. A
    mixed row rules out no class that its partner shows.

    Args:
        images: [n, 3, s, s].
        targets, excluded: [n, k], see `Samples`.
        strength: the share is from Beta(strength, strength); the larger part is the row's own.
    """
    drawn = torch.distributions.Beta(strength, strength).sample().item()
    partner = torch.randperm(len(images), device=images.device)
    known = targets.any(dim=1) & targets[partner].any(dim=1)
    share = torch.where(known, max(drawn, 1 - drawn), 1.0)[:, None]
    targets = share * targets + (1 - share) * targets[partner]
    mixed = torch.lerp(images[partner], images, share[:, :, None, None])
    return mixed, targets, excluded & (targets == 0)


def _affines(images: Tensor, config: NetConfig) -> Tensor:
    """[n, 2, 3] maps from output to input coordinates in [-1, 1]."""
    n, device = len(images), images.device
    signed = 2 * torch.rand(5, n, device=device) - 1
    # From a little zoomed out to the closest crop, evenly in logarithm.
    zoom = torch.exp(math.log(config.crop) * (0.5 + 0.6 * signed[0]))
    # A crop may lie anywhere inside the image; the shift goes beyond its edge.
    reach = (1 - zoom).clamp(min=0) + 2 * config.shift
    centre = reach * signed[3:5]
    stretch = torch.exp(0.1 * signed[1])
    angle = math.radians(config.rotate) * signed[2]
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    mirror = torch.ones(n, device=device)
    if config.flip:
        mirror = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    rows = [
        torch.stack([cos * stretch * mirror, -sin, centre[0]], dim=1),
        torch.stack([sin * mirror, cos / stretch, centre[1]], dim=1),
    ]
    return torch.stack(rows, dim=1)
