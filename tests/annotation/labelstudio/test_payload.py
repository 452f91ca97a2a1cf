import json

import pytest
from django.core.files.storage import default_storage

from annotation.labelstudio.guideline import markdown, render
from annotation.labelstudio.payload import build, gather, offered
from annotation.models import GuidelineVersion
from annotation.vectors import store_vectors
from tests.annotation.case_rows import direction, make_case, make_space
from tests.annotation.labelstudio.conftest import publish, stored_picture, tasks_of
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


def built(task):
    return build(task=task, knowledge=gather(tasks=[task]))


def test_a_task_says_nothing_of_strategy_or_truth(world):
    (task,) = tasks_of(world, 1, strategy="gold-and-secret", blind=True)
    entry = built(task).data
    assert set(entry) == {"data"}
    told = {"touchstone", "image", "title", "brands", "guideline", "cases", "note"}
    assert set(entry["data"]) == told
    assert "gold-and-secret" not in json.dumps(entry)


def test_a_blind_task_carries_no_proposal_and_the_others_do(world):
    (seen,) = tasks_of(world, 1)
    (blind,) = tasks_of(world, 1, blind=True)
    (prediction,) = built(seen).data["predictions"]
    assert prediction["model_version"]
    assert prediction["result"][0]["value"] == {"choices": ["acorn"]}
    assert "predictions" not in built(blind).data
    seen_keys, blind_keys = built(seen).data["data"]["brands"], built(blind).data["data"]["brands"]
    assert seen_keys == blind_keys, "the choices do not give away which is which"


def test_a_brand_keeps_its_key_whatever_the_order_of_the_candidates(world):
    keys = [brand.key for brand in world.brands]
    one = TaskFactory(proposal={"candidates": keys})
    two = TaskFactory(proposal={"candidates": keys[::-1]})
    brands = gather(tasks=[one, two]).brands
    assert offered(task=one, brands=brands) == offered(task=two, brands=brands)


def test_at_most_nine_brands_are_offered_each_with_a_key_of_its_own():
    brands = BrandFactory.create_batch(14)
    task = TaskFactory(
        focus_brand=brands[13], proposal={"candidates": [brand.key for brand in brands[:13]]}
    )
    entry = built(task).data
    choices = entry["data"]["brands"]
    assert [choice["alias"] for choice in choices[-3:]] == ["@none", "@other", "@unsure"]
    assert [choice["hotkey"] for choice in choices] == [*"123456789", "0", "o", "u"]
    assert brands[13].key in {choice["alias"] for choice in choices}


def test_the_published_guideline_travels_with_its_red_boxed_example(world):
    (task,) = tasks_of(world, 1)
    entry = built(task)
    assert entry.versions == [world.guideline]
    html = entry.data["data"]["guideline"]
    assert "<strong>leaf</strong>" in html
    assert '<img src="http' in html
    assert "/files/examples/" in html


def test_a_lost_example_picture_does_not_keep_the_task_from_being_asked(world):
    guideline = publish(world.brands[1], regions=[{"x1": 1, "y1": 2, "x2": 3, "y2": 4}])
    default_storage.delete(guideline.features.get().examples.get().file)
    task = TaskFactory(focus_brand=world.brands[1])
    entry = built(task)
    assert entry.versions == [guideline]
    assert "<img" not in entry.data["data"]["guideline"]


def test_what_was_said_when_a_task_came_back_stands_above_it_and_only_there(world):
    (asked,) = tasks_of(world, 1)
    (back,) = tasks_of(world, 1, note="Look at the **sole** again. <script>alert(1)</script>")
    assert built(asked).data["data"]["note"].strip() == ""
    note = built(back).data["data"]["note"]
    assert note.startswith("<blockquote>")
    assert "<strong>sole</strong>" in note
    assert "<script" not in note


def test_a_guideline_says_what_is_no_violation_and_how_small_a_logo_may_be(world):
    brand = world.brands[1]
    version = GuidelineVersion.objects.create(
        brand=brand, number=1, rules="The leaf.", not_violations="Plain stripes.", least_logo=12
    )
    html = render(versions=[version])
    assert "Plain stripes." in html
    assert "12 pixels" in html


def test_a_brand_task_shows_the_nearest_cases_with_verdict_and_reason_never_its_own(world):
    (task,) = tasks_of(world, 1)
    space = make_space()
    like = make_case(
        image=ImageFactory(file=stored_picture("tests/case.png")),
        brand=world.brands[1],
        reason="条纹属于大众款式 <b>only</b>",
    )
    own = make_case(image=task.image, verdict="brand", brand=world.brands[0], reason="its answer")
    store_vectors(
        space=space,
        embeddings={task.image_id: direction(1), like.image_id: direction(1, 2, 0.1)},
    )
    entry = built(task)
    assert [case.pk for case in entry.cases] == [like.pk]
    html = entry.data["data"]["cases"]
    assert "no brand (Birch?)" in html
    assert "条纹属于大众款式 &lt;b&gt;only" in html
    assert '<img src="http' in html
    assert own.reason not in html


def test_boxes_are_proposed_in_percents_and_for_the_brand_asked_for(world):
    (task,) = tasks_of(world, 1, kind="boxes")
    box = {"x1": 24, "y1": 48, "x2": 72, "y2": 200}
    task.proposal = {"boxes": [box | {"brand": "acorn"}, box | {"brand": "birch"}]}
    (prediction,) = built(task).data["predictions"]
    (region,) = prediction["result"]
    value = region["value"]
    assert (value["x"], value["y"], value["width"], value["height"]) == (25, 50, 50, 50)


def test_a_box_task_without_a_brand_cannot_be_built():
    with pytest.raises(ValueError, match="names no brand"):
        built(TaskFactory(kind="boxes"))


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "<img src=x onerror=a>"]
)
def test_guidelines_cannot_bring_scripts_into_the_page(text):
    html = markdown(text)
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
