"""Modified copies: found whatever was done to the picture, and never between unrelated ones."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from ml.copies import Prepared, compare, prepare
from ml.manifest import Manifest
from ml.progress import Progress
from ml.synth import generate
from tests.copied_pictures import CHANGES, alter, originals

# Recolouring by a turn of all hues changes which of two neighbours is the lighter one.
LEAST_RECALL = dict.fromkeys(CHANGES, 0.97) | {"recoloured": 0.85}
MOST_FALSE = 0.002
PAIRS = 1000


def world(tmp_path_factory: pytest.TempPathFactory, pool: int) -> Manifest:
    return generate(
        brands=12, train=0, closed=0, open_=0, business=0, pool=pool, size=224, seed=5,
        out=tmp_path_factory.mktemp("copies") / "world", progress=Progress(quiet=True),
    )  # fmt: skip


def ready(picture: Image.Image) -> Prepared:
    return prepare(np.asarray(picture))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Image.Image]:
    return originals(world(tmp_path_factory, 14))[:10]


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


@pytest.mark.slow
def test_recall_of_each_change_and_false_matches(tmp_path_factory):
    """The figures of docs/benchmarks.md, section Modified copies."""
    pictures = originals(world(tmp_path_factory, 240))[:80]
    assert len(pictures) == 80
    rng = np.random.default_rng(0)
    prepared = [ready(picture) for picture in pictures]
    found, named = Counter(), Counter()
    for change in CHANGES:
        for own, picture in zip(prepared, pictures, strict=True):
            match = compare(own, ready(alter(picture, change, rng)))
            found[change] += match is not None
            named[change] += match is not None and change in match.changes
    pairs = [(i, j) for i in range(80) for j in range(i)]
    drawn = rng.choice(len(pairs), PAIRS, replace=False)
    wrong = sum(compare(prepared[pairs[k][0]], prepared[pairs[k][1]]) is not None for k in drawn)
    for change in CHANGES:
        print(f"{change}: found {found[change]} of 80, named {named[change]}")
    print(f"unrelated pairs taken for copies: {wrong} of {PAIRS}")
    assert {c: found[c] / 80 for c in CHANGES if found[c] / 80 < LEAST_RECALL[c]} == {}
    assert wrong / PAIRS <= MOST_FALSE
