"""Near-duplicates share a group, and a group keeps its role."""

import io

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from annotation.ingest.grouping import keep_together, merge_groups
from annotation.models import Image, ImageGroup
from tests.annotation.ingest.conftest import picture, write_table
from tests.factories import ImageFactory, ImageGroupFactory

pytestmark = pytest.mark.django_db


def groups() -> dict[int, int]:
    """How many images each group has."""
    counts: dict[int, int] = {}
    for group in Image.objects.values_list("group_id", flat=True):
        counts[group] = counts.get(group, 0) + 1
    return counts


def recompressed(image):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=30)
    return Picture.open(out)


def test_recompressed_resized_and_slightly_cropped_copies_share_a_group(folder, ingest):
    original = picture(1, (200, 200))
    original.save(folder / "a.png")
    recompressed(original).save(folder / "b.jpg")
    original.resize((90, 90)).save(folder / "c.jpg")
    original.crop((1, 1, 198, 199)).save(folder / "d.jpg")
    picture(2, (200, 200)).save(folder / "other.jpg")
    ingest()
    assert sorted(groups().values()) == [1, 4]


def test_near_duplicates_are_found_in_what_was_ingested_before(folder, ingest, tmp_path):
    picture(1).save(folder / "a.png")
    ingest()
    later = tmp_path / "later"
    later.mkdir()
    recompressed(picture(1)).save(later / "b.jpg")
    ingest(directory=later)
    assert list(groups().values()) == [2]


def test_images_of_one_product_share_a_group(folder, ingest, tmp_path):
    for seed in range(3):
        picture(seed).save(folder / f"{seed}.jpg")
    lines = [{"id": i, "file": f"{i}.jpg", "brand": "", "product": "p"} for i in range(3)]
    write_table(folder / "products.csv", lines[:2])
    ingest()
    write_table(folder / "products.csv", lines)
    ingest()
    assert list(groups().values()) == [3]


def test_a_near_duplicate_of_the_other_role_is_set_aside(folder, ingest, tmp_path):
    picture(1).save(folder / "a.png")
    ingest(split="train")
    test = tmp_path / "test"
    test.mkdir()
    recompressed(picture(1)).save(test / "b.jpg")
    picture(2).save(test / "c.jpg")
    report = ingest(directory=test, split="closed")
    assert report.set_aside == [("b.jpg", "near-duplicate of a training image")]
    assert report.added == 1


def test_the_same_file_in_the_other_role_is_set_aside(folder, ingest):
    picture(1).save(folder / "a.png")
    ingest(split="open")
    assert ingest(split="pool").set_aside == [("a.png", "already a test image")]
    assert Image.objects.get().split == "open"


def test_a_product_of_the_other_role_is_set_aside(folder, ingest):
    picture(1).save(folder / "a.png")
    picture(2).save(folder / "b.png")
    write_table(folder / "products.csv", [{"id": "p", "file": "a.png", "brand": ""}])
    ingest(split="train")
    write_table(folder / "products.csv", [{"id": "p", "file": "b.png", "brand": ""}])
    assert ingest(split="closed").set_aside == [("b.png", "of one product with a training image")]


def blend(share: float):
    return Picture.blend(picture(1), picture(2), share)


def test_a_picture_that_connects_two_groups_makes_them_one(folder, ingest):
    blend(0.40).save(folder / "a.png")
    blend(0.64).save(folder / "b.png")
    ingest()
    assert sorted(groups().values()) == [1, 1]
    blend(0.54).save(folder / "between.png")
    ingest()
    assert list(groups().values()) == [3]
    assert ImageGroup.objects.count() == 1


def test_a_picture_that_connects_training_and_test_is_set_aside(folder, ingest, tmp_path):
    blend(0.40).save(folder / "a.png")
    ingest(split="train")
    for name, share in (("test", 0.64), ("between", 0.54)):
        (tmp_path / name).mkdir()
        blend(share).save(tmp_path / name / f"{name}.png")
    assert ingest(directory=tmp_path / "test", split="closed").added == 1
    for split, other in (("pool", "test"), ("open", "training")):
        report = ingest(directory=tmp_path / "between", split=split)
        assert report.set_aside == [("between.png", f"near-duplicate of a {other} image")]


def test_plain_pictures_do_not_chain_into_a_group(folder, ingest):
    for level in (0, 128, 250, 255):
        Picture.new("RGB", (64, 64), (level, level, level)).save(folder / f"{level}.png")
    ingest()
    assert sorted(groups().values()) == [1, 1, 1, 1]


def test_unlike_marks_on_white_are_not_near_duplicates(folder, ingest):
    rng = np.random.default_rng(0)
    for i in range(40):
        image = Picture.new("RGB", (128, 128), "white")
        points = [tuple(point) for point in rng.integers(10, 118, (6, 2)).tolist()]
        ImageDraw.Draw(image).polygon(points, fill=tuple(rng.integers(0, 200, 3).tolist()))
        image.save(folder / f"{i}.png")
    ingest()
    assert len(groups()) == 40


def test_merging_keeps_the_oldest_group_and_no_empty_one():
    ImageFactory.create_batch(3)
    before = sorted(Image.objects.values_list("group_id", flat=True))
    kept = merge_groups(group_ids=before)
    assert kept == before[0]
    assert set(Image.objects.values_list("group_id", flat=True)) == {kept}
    assert ImageGroup.objects.count() == 1


def test_train_and_val_images_of_one_group_end_on_one_side():
    group = ImageGroupFactory(role="training")
    for split in ("train", "val", "pool"):
        ImageFactory(group=group, split=split)
    keep_together(group_ids=Image.objects.values_list("group_id", flat=True))
    splits = sorted(Image.objects.values_list("split", flat=True))
    assert splits in (["pool", "train", "train"], ["pool", "val", "val"])
