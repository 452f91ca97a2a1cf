import pytest

from annotation.labelstudio.parsing import UnreadableAnnotation, content_of, revision_hash
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


def result(name, **value):
    return {"id": "x", "from_name": name, "to_name": "image", "value": value}


def read(task, *results, cancelled=False):
    return content_of(
        annotation={"id": 5, "result": list(results), "was_cancelled": cancelled}, task=task
    )


@pytest.fixture
def task():
    return TaskFactory()


@pytest.fixture
def acorn():
    return BrandFactory(key="acorn", name_en="Acorn", name_zh="橡果", aliases=["Akorn"])


def test_a_picked_brand_is_the_answer(task, acorn):
    content = read(task, result("brand", choices=["acorn"]), result("question", text=["sure?"]))
    assert (content.answer, content.brand, content.question) == ("brand", acorn, "sure?")


@pytest.mark.parametrize("picked", ["none", "other", "unsure"])
def test_the_three_other_choices_are_answers_too(task, picked):
    assert read(task, result("brand", choices=[f"@{picked}"])).answer == picked


@pytest.mark.parametrize("typed", ["acorn", " ACORN ", "橡果", "akorn"])
def test_a_typed_name_of_a_listed_brand_is_that_brand(task, acorn, typed):
    content = read(task, result("brand", choices=["@other"]), result("other_brand", text=[typed]))
    assert (content.answer, content.brand) == ("brand", acorn)


def test_a_typed_name_nobody_has_is_kept_for_people_to_read(task, acorn):
    content = read(task, result("brand", choices=["@other"]), result("other_brand", text=["Zebra"]))
    assert (content.answer, content.brand) == ("other", None)
    assert "Zebra" in content.question


def test_a_name_two_brands_share_decides_nothing(task, acorn):
    BrandFactory(key="acorn-2", name_en="acorn")
    content = read(task, result("brand", choices=["@other"]), result("other_brand", text=["Acorn"]))
    assert content.answer == "other"


def test_a_nul_pasted_into_a_text_is_left_out(task):
    content = read(task, result("brand", choices=["@none"]), result("question", text=["a\0b"]))
    assert content.question == "ab"


@pytest.mark.parametrize("kind", ["brand", "boxes", "variation"])
def test_a_skip_is_unsure(kind, acorn):
    task = TaskFactory(kind=kind, focus_brand=acorn)
    assert read(task, cancelled=True).answer == "unsure"


def test_boxes_are_pixels_within_the_picture(acorn):
    task = TaskFactory(kind="boxes", focus_brand=acorn, image=ImageFactory(width=200, height=100))
    content = read(
        task,
        result("boxes", x=10, y=20, width=30, height=40),
        result("boxes", x=90, y=90, width=20, height=20),
        result("boxes", x=50, y=50, width=0, height=10),
    )
    assert content.boxes == [
        {"x1": 20, "y1": 20, "x2": 80, "y2": 60, "brand": "acorn"},
        {"x1": 180, "y1": 90, "x2": 200, "y2": 100, "brand": "acorn"},
    ]


def test_nothing_boxed_is_no_box_and_not_unasked(acorn):
    assert read(TaskFactory(kind="boxes", focus_brand=acorn)).boxes == []


def test_a_variation_is_read(acorn):
    task = TaskFactory(kind="variation")
    assert read(task, result("variation", choices=["stack"])).variation == "stack"


@pytest.mark.parametrize(
    ("kind", "results"),
    [
        ("brand", []),
        ("brand", [result("brand", choices=["unheard-of"])]),
        ("brand", [result("brand", choices=[])]),
        ("variation", [result("variation", choices=["upside down"])]),
        ("boxes", [result("boxes", x=1)]),
        ("boxes", [{"value": {}}]),
    ],
)
def test_what_no_page_of_ours_sends_is_refused(kind, results, acorn):
    with pytest.raises(UnreadableAnnotation):
        read(TaskFactory(kind=kind, focus_brand=acorn), *results)


def test_a_revision_is_what_is_said_not_when():
    said = {"result": [result("brand", choices=["a"])], "was_cancelled": False}
    assert revision_hash(said | {"updated_at": "1"}) == revision_hash(said | {"updated_at": "2"})
    assert revision_hash(said) != revision_hash(said | {"was_cancelled": True})
