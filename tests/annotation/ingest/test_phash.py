import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

from annotation.ingest.decode import Picture
from annotation.ingest.grouping import near_groups
from annotation.models import Image
from ml import phash
from tests.annotation.ingest.conftest import picture
from tests.factories import ImageFactory


def grey(image):
    return np.asarray(image.convert("L").resize((phash.SIDE, phash.SIDE)), float)


def test_the_hash_is_the_sign_of_the_low_frequencies_against_their_median():
    levels = grey(picture(3))
    # scipy's transform is scaled by frequency, ours is not: the same up to those factors.
    low = dctn(levels, type=2)[:16, :16] / 4
    expected = np.packbits((low > np.median(low)).ravel()).tobytes()
    assert phash.perceptual_hash(levels) == expected


hashes = st.binary(min_size=32, max_size=32)


def flip(value: bytes, places) -> bytes:
    bits = np.unpackbits(np.frombuffer(value, np.uint8))
    bits[list(places)] ^= 1
    return np.packbits(bits).tobytes()


@given(value=hashes, places=st.sets(st.integers(0, 255), max_size=60))
def test_distance_counts_the_flipped_bits(value, places):
    one, other = phash.as_array([value, flip(value, places)])
    assert phash.distances(one, other) == len(places)


@given(value=hashes)
def test_bands_are_distinct_and_fit_the_column(value):
    keys = phash.bands(value)
    assert len(set(keys)) == phash.BANDS
    assert min(keys) >= 0
    assert max(keys) < 2**31


@given(value=hashes, place=st.integers(0, 255))
def test_a_flipped_bit_changes_only_some_bands(value, place):
    shared = set(phash.bands(value)) & set(phash.bands(flip(value, [place])))
    assert phash.BANDS - 8 <= len(shared) <= phash.BANDS - 1 or place in unused_bits()


def unused_bits() -> set[int]:
    zero = phash.bands(bytes(32))
    return {bit for bit in range(256) if phash.bands(flip(bytes(32), [bit])) == zero}


def test_every_bit_is_in_some_band():
    assert unused_bits() == set()


@pytest.mark.parametrize(("flipped", "missed"), [(12, 0.0), (20, 0.002), (24, 0.01), (28, 0.03)])
def test_pairs_within_the_radius_share_a_band_nearly_always(flipped, missed):
    rng = np.random.default_rng(flipped)
    pairs = 2000
    alone = 0
    for _ in range(pairs):
        value = rng.bytes(32)
        near = flip(value, rng.choice(256, flipped, replace=False))
        alone += not set(phash.bands(value)) & set(phash.bands(near))
    assert alone / pairs <= missed


@pytest.mark.django_db
@settings(max_examples=25)
@given(
    value=hashes,
    near=st.sets(st.integers(0, 255), max_size=14),
    far=st.sets(st.integers(0, 255), min_size=phash.RADIUS + 1, max_size=200),
)
def test_the_lookup_finds_what_is_near_and_only_that(value, near, far):
    Image.objects.all().delete()
    stored = {name: flip(value, places) for name, places in (("near", near), ("far", far))}
    groups = {}
    for name, digest in stored.items():
        ImageFactory(phash=digest, phash_bands=phash.bands(digest))
        groups[name] = Image.objects.latest("pk").group_id
    wanted = Picture(width=1, height=1, extension="jpg", phash=value, bands=phash.bands(value))
    assert near_groups([wanted, wanted]) == [{(groups["near"], "training")}] * 2
