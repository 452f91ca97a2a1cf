"""What goes into training material, the pool and the test sets, and what does not."""

import random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from active_learning import datasets
from active_learning.models import DatasetVersion
from annotation.labels import Content, import_labels, record_label
from annotation.models import Image, Product, Task
from ml.manifest import read_manifest
from tests.active_learning.factories import DatasetVersionFactory
from tests.factories import BrandFactory, ImageFactory, ImageGroupFactory, TaskFactory

pytestmark = pytest.mark.django_db

BOX = {"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0, "brand": "acme"}


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def acme():
    return BrandFactory(key="acme")


@pytest.fixture
def draft():
    return BrandFactory(key="draft", state="draft")


def image(split="train", brand=None, answer="", **fields):
    answer = "brand" if brand else answer
    return ImageFactory(split=split, weak_answer=answer, weak_brand=brand, **fields)


def say(target, kind="brand", source="labeler", **content):
    record_label(image=target, kind=kind, content=Content(**content), source=source)


def rows(manifest):
    return {row["sha256"]: row for row in manifest.table.to_pylist()}


def frozen():
    return rows(read_manifest(datasets.freeze_dataset().path))


def test_a_weak_answer_trains_until_somebody_has_looked(acme):
    weak, corrected = image(brand=acme), image(brand=acme)
    say(corrected, answer="none", excluded=["acme"])
    found = frozen()
    assert (found[weak.sha256]["answer"], found[weak.sha256]["brand"]) == ("brand", "acme")
    row = found[corrected.sha256]
    assert (row["answer"], row["brand"], row["excluded"]) == ("none", None, ["acme"])
    assert row["labelled_at"] is not None


def test_what_people_are_unsure_of_or_disagree_on_is_left_out_whatever_the_source_says(acme):
    unsure, disputed = image(brand=acme), image(brand=acme)
    say(unsure, answer="unsure")
    say(disputed, answer="none")
    say(disputed, answer="brand", brand=acme)
    unknown = image()
    assert not {unsure.sha256, disputed.sha256, unknown.sha256} & frozen().keys()


def test_a_brand_new_on_the_list_puts_older_other_in_doubt_for_it_alone(acme, draft):
    said, weak, named, none = image(), image(answer="other"), image(), image()
    say(said, answer="other")
    say(named, answer="brand", brand=draft)
    say(none, answer="none")
    before = frozen()
    assert {before[target.sha256]["answer"] for target in (said, weak, named)} == {"other"}
    BrandFactory(key="new")
    later = image()
    say(later, answer="other")
    found = frozen()
    for target in (said, weak):
        row = found[target.sha256]
        assert (row["answer"], row["brand"], row["excluded"]) == ("unlabelled", None, ["acme"])
    assert found[named.sha256]["answer"] == "other", "another brand's name is no doubt"
    assert found[none.sha256]["answer"] == "none", "somebody saw no brand at all"
    assert found[later.sha256]["answer"] == "other", "the new brand was known by then"


def test_what_was_asked_about_a_brand_and_is_none_rules_that_brand_out(acme):
    asked, of_acme = image(split="pool"), image(split="pool")
    answers = {asked: Content(answer="none"), of_acme: Content(answer="brand", brand=acme)}
    for target, content in answers.items():
        task = TaskFactory(image=target, strategy="hard_negatives", focus_brand=acme)
        record_label(image=target, kind="brand", content=content, source="labeler", task=task)
    found = frozen()
    assert found[asked.sha256]["excluded"] == ["acme"]
    assert not found[of_acme.sha256]["excluded"]


def test_a_brand_off_the_list_is_a_brand_that_is_not_ours(acme, draft):
    weak, said, boxed = image(brand=draft), image(), image()
    say(said, answer="brand", brand=draft)
    say(boxed, kind="boxes", boxes=[BOX, BOX | {"brand": "draft"}])
    found = frozen()
    for target in (weak, said):
        assert (found[target.sha256]["answer"], found[target.sha256]["brand"]) == ("other", None)
    assert [box["brand"] for box in found[boxed.sha256]["boxes"]] == ["acme"]


def test_brand_boxes_and_variation_of_an_image_come_together_in_one_row(acme):
    target = image(split="pool")
    say(target, answer="brand", brand=acme, has_logo=True, risk="smear", attack="smear")
    say(target, kind="boxes", boxes=[BOX])
    say(target, kind="variation", variation="collage")
    target.refresh_from_db()
    assert target.split in ("train", "val"), "an answer takes it out of the pool"
    (row,) = frozen().values()
    assert (row["brand"], row["boxes"], row["variation"]) == ("acme", [BOX], "collage")
    assert (row["has_logo"], row["risk"], row["split"]) == (True, "smear", target.split)


def test_looked_and_found_no_box_differs_from_not_looked(acme):
    looked, not_looked = image(brand=acme), image(brand=acme)
    say(looked, kind="boxes", boxes=[])
    found = frozen()
    assert found[looked.sha256]["boxes"] == []
    assert found[not_looked.sha256]["boxes"] is None


def test_the_same_labels_give_the_same_version_in_whatever_order_they_came(acme):
    targets = [image(brand=acme) for _ in range(6)]
    first = datasets.freeze_dataset()
    assert datasets.freeze_dataset() == first
    content = [
        (target.sha256, target.file, target.group_id) for target in random.sample(targets, 6)
    ]
    Image.objects.all().delete()
    for sha256, file, group in content:
        image(brand=acme, sha256=sha256, file=file, group_id=group)
    assert datasets.freeze_dataset() == first
    assert DatasetVersion.objects.count() == 1


def test_a_new_label_gives_a_new_version_with_the_last_as_its_parent(acme):
    target = image(brand=acme)
    image(split="val", brand=acme, source="shop")
    first = datasets.freeze_dataset()
    say(target, answer="none")
    second = datasets.freeze_dataset()
    assert second != first
    assert (second.parent, first.parent) == (first, None)
    assert second.labels_until > first.labels_until == 0
    assert second.brands == ["acme"]
    assert second.counts["split"] == {"train": 1, "val": 1}
    assert second.counts["answer"] == {"brand": 1, "none": 1}
    assert second.counts["source"] == {"shop": 1, "test": 1}
    assert second.counts["brand"] == {"acme": 1}
    assert second.counts["train"]["background"] == 1


def test_test_images_never_get_into_training_material(acme):
    test = [image(split=split, brand=acme) for split in ("closed", "open", "business")]
    for target in test:
        say(target, answer="brand", brand=acme, source="import")
    assert frozen() == {}


def test_what_is_known_of_a_pool_image_does_not_train_while_it_may_be_chosen(acme):
    waiting = image(split="pool", brand=acme)
    image(brand=acme)
    assert waiting.sha256 not in frozen()
    assert waiting.sha256 not in rows(datasets.training_manifest())


def test_a_training_manifest_can_leave_images_out(acme):
    kept, left_out = image(brand=acme), image(brand=acme)
    assert rows(datasets.training_manifest(without=[left_out.pk])).keys() == {kept.sha256}


def test_what_can_be_trained_depends_on_the_training_rows():
    dataset = DatasetVersionFactory()
    assert [datasets.has_material(dataset, kind) for kind in KINDS] == [True, True, True]
    bare = {"brand": {"acme": 1}, "background": 9, "boxed": {}, "variation": {"none": 9}}
    dataset = DatasetVersionFactory(counts={"train": bare})
    assert [datasets.has_material(dataset, kind) for kind in KINDS] == [False, False, False]


KINDS = ("classifier", "detector", "variation")


def test_the_pool_shows_no_answer_and_no_group_that_was_asked_about(acme):
    free = image(split="pool", brand=acme)
    asked, answered, withdrawn = (ImageGroupFactory() for _ in range(3))
    near = [image(split="pool", group=group) for group in (asked, answered, withdrawn)]
    states = {asked: "waiting", answered: "answered", withdrawn: "withdrawn"}
    for group, state in states.items():
        TaskFactory(image=image(split="pool", group=group), state=state)
    image(split="train", brand=acme)
    found = rows(datasets.pool_manifest())
    taken_back = Task.objects.get(state="withdrawn").image.sha256
    assert found.keys() == {free.sha256, near[2].sha256, taken_back}
    assert {row["answer"] for row in found.values()} == {"unlabelled"}
    assert {row["brand"] for row in found.values()} == {None}
    assert found[free.sha256]["group"] == str(free.group_id)


def test_the_test_sets_hold_listed_brands_and_keep_what_is_not_known_apart(acme, draft):
    listed = image(split="closed", brand=acme)
    collage = image(split="closed")
    off_list, unknown = image(split="closed", brand=draft), image(split="closed")
    missed = image(split="business")
    opened = {
        "unlabelled": image(split="open"),
        "other": image(split="open", brand=draft),
        "none": image(split="open", answer="none"),
    }
    logo = Content(answer="brand", brand=acme, has_logo=False)
    import_labels(
        items=[
            (missed, "brand", logo),
            (collage, "variation", Content(variation="collage")),
            (listed, "boxes", Content(boxes=[BOX])),
        ]
    )
    image(split="train", brand=acme)
    found = rows(datasets.evaluation_manifest())
    assert not {off_list.sha256, unknown.sha256} & found.keys()
    assert len(found) == 6
    assert found[listed.sha256]["boxes"] == [BOX]
    assert found[collage.sha256]["variation"] == "collage"
    assert found[missed.sha256]["has_logo"] is False
    for answer, target in opened.items():
        assert found[target.sha256]["answer"] == answer


def test_a_row_carries_its_context_and_the_path_of_its_file(acme, settings):
    product = Product.objects.create(source="shop", external_id="7", title="鞋", price="9.5")
    target = image(brand=acme, product=product)
    row = frozen()[target.sha256]
    assert (row["title"], row["price"], row["product"]) == ("鞋", 9.5, "shop/7")
    assert row["image"] == str(settings.HOME / "media" / target.file)


def test_building_a_manifest_takes_as_many_queries_for_many_images_as_for_one(acme):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            datasets.evaluation_manifest()
        return len(captured)

    image(split="closed", brand=acme)
    one = queries()
    for _ in range(30):
        say(image(split="closed"), answer="brand", brand=acme, source="import")
    assert queries() == one <= 3
