"""How right the word of a source is, and what of it may train models unseen."""

from itertools import count

import pytest
from django.contrib.auth.models import User
from scipy.stats import beta as beta_distribution

from active_learning import datasets
from active_learning.models import DatasetVersion, Source
from active_learning.rightness import Trust, read_rightness
from active_learning.sentences import in_words
from annotation.labels import Content, record_label
from annotation.models import Brand, Image
from ml.evaluate.intervals import beta
from ml.manifest import read_manifest
from tests.factories import BrandFactory, ImageFactory, TaskFactory

NUMBERS = count(1)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.SOURCE_LEAST_ANSWERS = 10
    settings.SOURCE_LEAST_RIGHTNESS = 0.5


@pytest.fixture
def mia(db):
    return User.objects.create_user("mia")


@pytest.fixture
def acme(db):
    return BrandFactory(key="acme")


@pytest.fixture
def globex(db):
    return BrandFactory(key="globex")


def weak(brand: Brand, source: str = "shop", **fields) -> Image:
    return ImageFactory(source=source, weak_answer="brand", weak_brand=brand, **fields)


def answer(image: Image, by: User, brand: Brand | None, *, blind: bool = True, **fields) -> None:
    task = TaskFactory(image=image, blind=blind, state="pushed", remote_id=next(NUMBERS))
    content = Content(answer="brand" if brand else "none", brand=brand)
    given = {"source": "labeler", "proposal_shown": not blind, "task": task} | fields
    record_label(image=image, kind="brand", content=content, by=by, **given)


def judge(brand: Brand, by: User, *, right: int, wrong: int, **fields) -> None:
    for place in range(right + wrong):
        answer(weak(brand, **fields), by, brand if place < right else None)


def test_a_posterior_is_that_of_a_uniform_prior():
    for hits, n in ((0, 0), (7, 7), (3, 11)):
        figure = beta(hits, n)
        expected = beta_distribution(hits + 1, n - hits + 1)
        assert figure.value == pytest.approx(expected.mean())
        assert (figure.low, figure.high) == pytest.approx(expected.interval(0.95))
        assert figure.n == n


def test_only_what_people_said_who_saw_no_proposal_counts(acme, mia):
    judge(acme, mia, right=3, wrong=1)
    answer(weak(acme), mia, acme, blind=False)
    answer(weak(acme), mia, acme, blind=True, proposal_shown=True)
    answer(weak(acme), mia, acme, source="audit", task=None)
    answer(weak(acme), mia, acme, source="import", task=None)
    mixed = weak(acme)
    answer(mixed, mia, acme)
    answer(mixed, User.objects.create_user("noa"), acme, blind=False)
    answer(ImageFactory(source="shop"), mia, acme)  # of which the source says nothing
    answer(weak(acme, split="closed"), mia, acme)
    figure = read_rightness()["shop", ""]
    assert (figure.n, figure.value) == (4, pytest.approx(4 / 6))


def test_near_duplicates_are_one_answer_and_a_word_of_no_brand_is_judged_too(acme, mia):
    first = weak(acme)
    for image in (first, weak(acme, group=first.group)):
        answer(image, mia, acme)
    answer(ImageFactory(source="shop", weak_answer="none"), mia, None)
    answer(ImageFactory(source="shop", weak_answer="other"), mia, None)
    assert read_rightness()["shop", ""].n == 3
    assert read_rightness()["shop", ""].value == pytest.approx(3 / 5)


def test_brands_are_told_apart_where_there_are_enough(acme, globex, mia):
    judge(acme, mia, right=12, wrong=0)
    judge(globex, mia, right=0, wrong=9)
    found = read_rightness()
    assert set(found) == {("shop", ""), ("shop", "acme")}
    judge(globex, mia, right=0, wrong=1)
    found = read_rightness()
    assert found["shop", "acme"].low > 0.7
    assert found["shop", "globex"].high < 0.3


def frozen() -> tuple[DatasetVersion, set[str]]:
    dataset = datasets.freeze_dataset()
    rows = read_manifest(dataset.path).table.to_pylist()
    return dataset, {row["sha256"] for row in rows}


def test_a_source_that_is_measured_and_too_often_wrong_trains_nothing_unseen(acme, mia, settings):
    unseen, other = weak(acme, split="train"), weak(acme, "other", split="train")
    dataset, rows = frozen()
    assert rows == {unseen.sha256, other.sha256}  # nobody has measured them: a cold start works
    assert dataset.left_out == []

    judge(acme, mia, right=4, wrong=12)
    dataset, rows = frozen()
    assert unseen.sha256 not in rows
    assert other.sha256 in rows
    (said,) = dataset.left_out
    assert (said["source"], said["brand"], said["rows"]) == ("shop", "acme", 1)
    assert in_words(said["why"]) == (
        "right in 10% at least, by 16 blind answers; 50% are asked for"
    )
    # Once somebody has looked, it is what they say.
    answer(unseen, mia, acme)
    dataset, rows = frozen()
    assert unseen.sha256 in rows
    assert dataset.left_out == []


def test_a_brand_that_the_source_knows_well_trains_on_though_the_others_do_not(acme, globex, mia):
    judge(acme, mia, right=14, wrong=0)
    judge(globex, mia, right=0, wrong=30)
    kept, dropped = weak(acme, split="train"), weak(globex, split="train")
    dataset, rows = frozen()
    assert kept.sha256 in rows
    assert dropped.sha256 not in rows
    assert [row["brand"] for row in dataset.left_out] == ["globex"]


def test_a_row_keeps_its_boxes_though_the_sources_word_is_left_out(acme, mia):
    judge(acme, mia, right=0, wrong=12)
    boxed = weak(acme, split="train")
    record_label(image=boxed, kind="boxes", content=Content(boxes=[]), source="import")
    dataset, _rows = frozen()
    rows = {row["sha256"]: row for row in read_manifest(dataset.path).table.to_pylist()}
    assert rows[boxed.sha256]["answer"] == "unlabelled"
    assert rows[boxed.sha256]["boxes"] == []


def test_the_rule_of_a_source_goes_before_its_measure(acme, mia, settings):
    judge(acme, mia, right=0, wrong=12)
    source = Source.objects.create(name="shop", kind="reviews", connector="folder", trust="always")
    assert Trust.read().against("shop", "acme") is None
    Source.objects.filter(pk=source.pk).update(trust="never")
    assert in_words(Trust.read().against("shop", None)) == "only once looked at"
    settings.SOURCE_LEAST_RIGHTNESS = 0
    Source.objects.all().delete()
    assert Trust.read().against("shop", None) is None


def test_what_nobody_has_measured_may_be_left_out_too(settings):
    settings.SOURCE_UNMEASURED = False
    assert in_words(Trust.read().against("shop", "acme")) == "nobody has measured it yet"


def test_previews_learn_from_what_a_dataset_would_hold(acme, mia):
    unseen = weak(acme, split="train")
    judge(acme, mia, right=0, wrong=12)
    rows = datasets.training_manifest().table["sha256"].to_pylist()
    assert unseen.sha256 not in rows
