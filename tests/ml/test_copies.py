"""Modified copies: found whatever was done to the picture, and never between unrelated ones."""

import numpy as np
import pytest
from PIL import Image

from ml.bench.copies import CHANGES, alter, originals
from ml.copies import Prepared, compare, prepare
from ml.progress import Progress
from ml.synth import generate


def ready(picture: Image.Image) -> Prepared:
    return prepare(np.asarray(picture))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Image.Image]:
    world = generate(
        brands=12, train=0, closed=0, open_=0, business=0, pool=14, size=224, seed=5,
        out=tmp_path_factory.mktemp("copies") / "world", progress=Progress(quiet=True),
    )  # fmt: skip
    return originals(world)[:10]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_and_named_from_both_sides(pictures, change):
    rng = np.random.default_rng(1)
    named = 0
    for picture in pictures[:5]:
        own, changed = ready(picture), ready(alter(picture, change, rng))
        there, back = compare(own, changed), compare(changed, own)
        if change != "recoloured":
            assert there is not None
            assert back is not None
        named += there is not None and change in there.changes
    assert named >= 4


def test_several_changes_at_once_are_seen(pictures):
    rng = np.random.default_rng(2)
    found = 0
    for picture in pictures:
        changed = picture
        for change in ("mirrored", "cropped", "bordered"):
            changed = alter(changed, change, rng)
        match = compare(ready(picture), ready(changed))
        found += match is not None and "mirrored" in match.changes
    assert found >= 9


def test_unrelated_pictures_are_no_copies_and_neither_are_plain_ones(pictures):
    prepared = [ready(picture) for picture in pictures]
    for i, one in enumerate(prepared):
        assert not [other for other in prepared[:i] if compare(one, other)]
    white = ready(Image.new("RGB", (90, 60), "white"))
    assert compare(white, white) is None
    assert compare(white, prepared[0]) is None
