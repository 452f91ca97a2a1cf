"""Cases and vectors for tests."""

import itertools

from annotation import cases
from annotation.models import Case, EmbeddingSpace
from tests.factories import ImageFactory

_numbers = itertools.count(1)


def direction(main: int, side: int = 0, tilt: float = 0.0) -> list[float]:
    """A vector along one of 64 axes, tilted towards another."""
    vector = [0.0] * 64
    vector[side] += tilt
    vector[main] += 1.0
    return vector


def make_space(*, state: str = "serving", model: str = "") -> EmbeddingSpace:
    model = model or f"/nowhere/classifier-{next(_numbers)}"
    return EmbeddingSpace.objects.create(model=model, state=state)


def make_case(**said) -> Case:
    image = said.pop("image", None) or ImageFactory()
    values = {"kind": "mass_style", "verdict": "none", "brand": None, "by": None}
    return cases.create_case(image=image, **values | {"reason": "Too common a style."} | said)
