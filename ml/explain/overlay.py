"""Heat as colours, and laid over the picture it is of."""

import numpy as np
from PIL import Image

# Inferno (Smith & van der Walt, 2015; CC0) at eight equal steps: lightness rises evenly, so more
# heat looks like more, also in grey and to the colour-blind.
_COLOURS = np.array(
    [
        (0, 0, 4), (33, 12, 74), (86, 16, 110), (137, 34, 106), (187, 55, 84), (227, 89, 50),
        (249, 140, 10), (249, 201, 50), (252, 255, 164),
    ],
    np.float32,
)  # fmt: skip
_STEPS = np.linspace(0, 1, len(_COLOURS))
_MOST_OPAQUE = 0.8
# Share of its colours that the picture keeps: on orange goods heat would not be seen.
_KEPT_COLOUR = 0.4
# Over the picture the darkest colours are left out, which would look like its shadows.
_FIRST_OVER = 0.35
# Brightness that the brightest hundredth of a picture has at least below the heat, of 255.
_LEAST_LIGHT = 170.0


def colour(heat: np.ndarray) -> Image.Image:
    """A map [h, w] in 0..1 as an RGB image."""
    return Image.fromarray(_colours(heat).astype(np.uint8), "RGB")


def overlay(image: Image.Image, heat: np.ndarray) -> Image.Image:
    """The heat over its picture, the more opaque the hotter. The picture is half grey, and a dark
    one is lightened.

    Args:
        image: RGB of w × h pixels.
        heat: [h, w] in 0..1.
    """
    picture = np.asarray(image, np.float32)
    brightest = max(float(np.percentile(picture, 99)), 1.0)
    picture = np.minimum(picture * max(1.0, _LEAST_LIGHT / brightest), 255)
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + _KEPT_COLOUR * (picture - grey)
    opacity = _MOST_OPAQUE * heat[..., None] ** 0.7
    mixed = picture * (1 - opacity) + _colours(_FIRST_OVER + (1 - _FIRST_OVER) * heat) * opacity
    return Image.fromarray(mixed.round().astype(np.uint8), "RGB")


def _colours(heat: np.ndarray) -> np.ndarray:
    """float32 [h, w, 3] in 0..255."""
    channels = [np.interp(heat, _STEPS, _COLOURS[:, i]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)
