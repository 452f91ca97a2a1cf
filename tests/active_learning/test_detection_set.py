"""The detection set is drawn from the classification set, evenly over brands and sources."""

from collections import Counter

import pytest
from django.contrib.auth.models import User

from active_learning.selection import detection_set
from annotation.labels import Content, record_label
from annotation.models import Brand, Feature, GuidelineVersion, Image, Task
from ml.errors import InputError
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def mia(db):
    return User.objects.create_user("mia")


def brand(key: str, *, registered: bool = True) -> Brand:
    made = BrandFactory(key=key)
    version = GuidelineVersion.objects.create(brand=made, number=1)
    Feature.objects.create(version=version, kind="logo", text="x", registered=registered)
    GuidelineVersion.objects.filter(pk=version.pk).update(
        state="published", published_at="2026-01-01T00:00Z"
    )
    return made


def answered(shown: Brand, by: User, source: str = "shop", **fields) -> Image:
    image = ImageFactory(source=source, **fields)
    task = TaskFactory(
        image=image, state="pushed", remote_id=image.pk, blind=True,
        proposal={"boxes": [{"x1": 1, "y1": 1, "x2": 9, "y2": 9, "brand": shown.key}]},
    )  # fmt: skip
    said = Content(answer="brand", brand=shown)
    record_label(image=image, kind="brand", content=said, source="labeler", by=by, task=task)
    return image


def test_brands_and_sources_get_even_shares_and_leave_what_they_cannot_fill(mia):
    acme, globex = brand("acme"), brand("globex")
    for source, count in (("shop", 20), ("reviews", 6), ("penalised", 1)):
        for _ in range(count):
            answered(acme, mia, source)
    for _ in range(3):
        answered(globex, mia)
    proposed = detection_set.propose(count=14, seed=1)
    assert len(proposed) == 14
    strata = Counter((row.brand.key, row.image.source) for row in proposed)
    assert strata == {
        ("globex", "shop"): 3, ("acme", "penalised"): 1,
        ("acme", "shop"): 5, ("acme", "reviews"): 5,
    }  # fmt: skip
    assert detection_set.propose(count=14, seed=1) == proposed
    assert detection_set.propose(count=14, seed=2) != proposed


def test_only_trusted_answers_with_a_registered_mark_that_nobody_boxed_are_drawn(mia):
    acme, plain = brand("acme"), brand("plain", registered=False)
    wanted = answered(acme, mia)
    answered(acme, mia, group=wanted.group)  # its near-duplicate
    answered(plain, mia)
    boxed = answered(acme, mia)
    record_label(image=boxed, kind="boxes", content=Content(boxes=[]), source="import")
    TaskFactory(image=answered(acme, mia), kind="boxes", focus_brand=acme)
    ImageFactory(split="train", weak_answer="brand", weak_brand=acme)
    proposed = detection_set.propose(count=10, seed=1)
    assert {row.image.group_id for row in proposed} == {wanted.group_id}
    assert len(proposed) == 1


def test_what_is_drawn_is_asked_once(mia):
    acme = brand("acme")
    for _ in range(3):
        answered(acme, mia)
    proposed = detection_set.propose(count=3, seed=1)
    assert detection_set.ask(proposed=proposed, seed=1) == 3
    assert detection_set.ask(proposed=proposed, seed=1) == 0
    task = Task.objects.filter(kind="boxes")[0]
    assert (task.strategy, task.focus_brand, task.proposal["brand"]) == (
        "detection_set", acme, "acme",
    )  # fmt: skip
    assert task.proposal["boxes"]
    with pytest.raises(InputError, match="waits to be boxed"):
        detection_set.draw(count=3, seed=2)
    with pytest.raises(InputError, match="Between 1"):
        detection_set.draw(count=0, seed=2)
