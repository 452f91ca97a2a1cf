"""Copies over products and merchants: found by hash or embedding, and decided in one step."""

import hashlib
import io

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as Pillow

from active_learning import datasets
from annotation import copies, review, vectors
from annotation.ingest.decode import read_picture
from annotation.models import Flag, Image, ImageCopy, Label
from annotation.review import ReviewError, Verdict
from annotation.selectors.review import yields
from ml.bench.copies import CHANGES, alter, originals
from ml.progress import Progress
from ml.synth import generate
from tests.annotation.review_rows import make_flag, make_merchant, make_product
from tests.factories import BrandFactory, ImageFactory


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> list[Pillow.Image]:
    world = generate(
        brands=12, train=0, closed=0, open_=0, business=0, pool=14, size=224, seed=5,
        out=tmp_path_factory.mktemp("copies") / "world", progress=Progress(quiet=True),
    )  # fmt: skip
    return originals(world)


@pytest.fixture
def reviewer(db) -> User:
    return User.objects.create(username="reviewer")


@pytest.fixture
def store(db, settings, tmp_path):
    """Puts a picture into the platform, as ingest would."""
    settings.MEDIA_ROOT = tmp_path

    def stored(picture: Pillow.Image, *, merchant: int = 1, **values) -> Image:
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        sha256 = hashlib.sha256(out.getvalue()).hexdigest()
        path = tmp_path / f"{sha256}.jpg"
        path.write_bytes(out.getvalue())
        read = read_picture(path)
        name = default_storage.save(f"copies/{sha256}.jpg", ContentFile(out.getvalue()))
        return ImageFactory(
            sha256=sha256, file=name, width=read.width, height=read.height, phash=read.phash,
            phash_bands=read.bands, product=make_product(make_merchant(merchant)), **values,
        )  # fmt: skip

    return stored


@pytest.fixture
def family(store, pictures):
    """A flagged picture, its five copies of other merchants, and strangers."""
    rng = np.random.default_rng(3)
    own = store(pictures[0])
    made = {
        change: store(alter(pictures[0], change, rng), merchant=2 + i)
        for i, change in enumerate(CHANGES)
    }
    strangers = [store(picture, merchant=9) for picture in pictures[1:8]]
    return make_flag(image=own), made, strangers


def test_each_change_is_found_without_any_embedding_and_no_stranger(family):
    flag, made, strangers = family
    found = copies.find_copies(image=flag.image)
    pairs = {pair.other_id: pair.change for pair in copies.copies_of(image=flag.image)}
    assert found.copies == len(pairs)
    assert not {stranger.pk for stranger in strangers} & pairs.keys()
    easy = {"resized", "mirrored", "bordered"}  # a crop takes an embedding, mostly
    assert {change for change in easy if change in pairs.get(made[change].pk, "")} == easy
    assert copies.searched(images=[flag.image])[flag.image.pk]["candidates"] >= 3


def test_searching_again_brings_nothing_new(family):
    flag, _, _ = family
    copies.find_copies(image=flag.image)
    before = list(ImageCopy.objects.values())
    copies.find_copies(image=flag.image)
    assert list(ImageCopy.objects.values()) == before


def test_what_the_hash_cannot_see_the_embedding_finds(store, pictures):
    own = store(pictures[0])
    picture = alter(pictures[0], "cropped", np.random.default_rng(0))
    far = store(picture.rotate(90, expand=True))
    copies.find_copies(image=own)
    assert not ImageCopy.objects.exists()
    space = vectors.open_space(model="m")
    vectors.store_vectors(space=space, embeddings={own.pk: [1, 0.1], far.pk: [1, 0.2]})
    vectors.serve_space(space=space)
    assert copies.find_copies(image=own).copies == 1


def related(*images: Image) -> None:
    first = images[0]
    ImageCopy.objects.bulk_create(
        ImageCopy(
            image_id=min(first.pk, other.pk), other_id=max(first.pk, other.pk), change="mirrored",
            similarity=0.9,
        )
        for other in images[1:]
    )  # fmt: skip


def test_the_same_verdict_in_one_step_with_its_provenance(reviewer):
    flag, unflagged = make_flag(), ImageFactory()
    other = make_flag(brand=flag.brand)
    related(flag.image, other.image, unflagged)
    review.decide(flag=flag, verdict=Verdict("brand", flag.brand, "knock_off"), by=reviewer)
    labels = copies.same_verdict(
        image=flag.image, copy_ids=[other.image.pk, unflagged.pk], by=reviewer
    )
    assert {label.image_id for label in labels} == {other.image.pk, unflagged.pk}
    assert {(label.source, label.brand, label.risk) for label in labels} == {
        ("audit", flag.brand, "knock_off")
    }
    for copied in Flag.objects.exclude(pk=flag.pk):
        assert (copied.state, copied.copied_from) == ("confirmed", flag.image)
    groups = Image.objects.filter(pk__in=[flag.image.pk, other.image.pk, unflagged.pk])
    assert len({image.group_id for image in groups}) == 1
    assert len({image.split for image in groups}) == 1


def test_copies_count_once_in_training_until_they_are_looked_at(reviewer, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    flag, copy = make_flag(), ImageFactory()
    related(flag.image, copy)
    review.decide(flag=flag, verdict=Verdict("brand", flag.brand, "smear"), by=reviewer)
    copies.same_verdict(image=flag.image, copy_ids=[copy.pk], by=reviewer)
    assert datasets.freeze_dataset().rows == 1
    review.give_verdict(image=copy, verdict=Verdict("none"), by=reviewer)
    assert datasets.freeze_dataset().rows == 2


def test_test_material_strangers_and_decided_ones_get_no_copied_verdict(reviewer):
    flag, stranger = make_flag(), ImageFactory()
    tested, decided = ImageFactory(split="closed"), make_flag()
    related(flag.image, tested, decided.image)
    review.decide(flag=decided, verdict=Verdict("none"), by=reviewer)
    review.decide(flag=flag, verdict=Verdict("brand", flag.brand, "smear"), by=reviewer)
    with pytest.raises(ReviewError, match="None of these"):
        copies.same_verdict(
            image=flag.image, copy_ids=[tested.pk, decided.image.pk, stranger.pk], by=reviewer
        )
    assert not Label.objects.filter(image__in=[tested, stranger]).exists()


def test_a_picture_without_a_verdict_has_none_to_give(reviewer):
    flag, copy = make_flag(), ImageFactory()
    related(flag.image, copy)
    review.decide(flag=flag, verdict=Verdict("unsure"), by=reviewer)
    with pytest.raises(ReviewError, match="verdict first"):
        copies.same_verdict(image=flag.image, copy_ids=[copy.pk], by=reviewer)


def test_the_whole_step_is_taken_back_at_once(reviewer):
    flag, one, two = make_flag(), ImageFactory(), ImageFactory()
    other = make_flag(brand=flag.brand, image=two)
    related(flag.image, one, two)
    review.decide(flag=flag, verdict=Verdict("none"), by=reviewer)
    copies.same_verdict(image=flag.image, copy_ids=[one.pk, two.pk], by=reviewer)
    assert len(review.undo(by=reviewer)) == 2
    other.refresh_from_db()
    assert (other.state, other.copied_from) == ("open", None)
    assert not Flag.objects.filter(image=one).exclude(state="withdrawn").exists()
    assert {image.split for image in Image.objects.filter(pk__in=[one.pk, two.pk])} == {"pool"}
    flag.refresh_from_db()
    assert flag.state == "corrected"
    review.undo(by=reviewer)
    flag.refresh_from_db()
    assert flag.state == "open"


def test_without_a_brand_in_question_copies_are_judged_alone(reviewer):
    image, copy = ImageFactory(), ImageFactory()
    related(image, copy)
    review.give_verdict(image=image, verdict=Verdict("none"), by=reviewer)
    with pytest.raises(ReviewError, match="No brand was in question"):
        copies.same_verdict(image=image, copy_ids=[copy.pk], by=reviewer)


def test_a_border_is_trimmed_and_nothing_else():
    inner = Pillow.effect_noise((40, 30), 80)
    framed = Pillow.new("L", (60, 50), 255)
    framed.paste(inner, (10, 10))
    trimmed = copies.trim_border(framed)
    assert abs(trimmed.width - 40) <= 2
    assert abs(trimmed.height - 30) <= 2
    assert copies.trim_border(inner).size == inner.size
    plain = Pillow.new("L", (9, 9), 255)
    assert copies.trim_border(plain) is plain


def test_a_brand_decided_by_a_copy_is_no_look(reviewer):
    brand = BrandFactory()
    flag, other = make_flag(brand=brand), make_flag(brand=brand)
    related(flag.image, other.image)
    review.decide(flag=flag, verdict=Verdict("brand", brand, "smear"), by=reviewer)
    copies.same_verdict(image=flag.image, copy_ids=[other.image.pk], by=reviewer)
    total, by_brand = yields()
    assert (total.looks, total.found, total.overridden) == (1, 1, 1)
    assert total.per_thousand.value == 1000
    assert total.per_thousand.low < 300
    assert by_brand[0].brand == brand
