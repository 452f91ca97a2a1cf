import pytest

from annotation.labels import Content, import_labels, record_label, retract_label
from annotation.models import Consensus, Label
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


def answer(task, brand=None, *, remote_id=1, remote_hash="a", answer="brand", **kwargs):
    return record_label(
        image=task.image,
        kind=task.kind,
        content=Content(answer=answer, brand=brand),
        source="labeler",
        task=task,
        remote_id=remote_id,
        remote_hash=remote_hash,
        **kwargs,
    )


@pytest.fixture
def task():
    return TaskFactory(state="pushed", remote_id=7)


def test_an_answer_closes_the_task_and_moves_the_image_out_of_the_pool(task):
    brand = BrandFactory()
    answer(task, brand)
    task.refresh_from_db()
    assert task.state == "answered"
    assert task.image.consensus.get().brand == brand
    task.image.refresh_from_db()
    assert task.image.split in ("train", "val")


def test_the_same_revision_twice_is_one_label(task):
    brand = BrandFactory()
    assert answer(task, brand) is not None
    assert answer(task, brand) is None
    assert Label.objects.count() == 1


def test_a_new_revision_supersedes_the_last(task):
    answer(task, BrandFactory())
    answer(task, answer="none", remote_hash="b")
    assert [label.answer for label in Label.objects.filter(superseded_by=None)] == ["none"]
    assert task.image.consensus.get().answer == "none"


def test_a_retracted_answer_opens_the_task_again(task):
    answer(task, BrandFactory())
    assert retract_label(remote_id=1) is not None
    assert retract_label(remote_id=1) is None
    task.refresh_from_db()
    assert task.state == "pushed"
    assert not Consensus.objects.exists()


def test_a_tie_and_an_unsure_are_not_trusted(task):
    answer(task, BrandFactory(), remote_id=1)
    answer(task, answer="none", remote_id=2)
    assert not task.image.consensus.get().trusted
    other = TaskFactory(state="pushed", remote_id=8)
    answer(other, answer="unsure", remote_id=3)
    assert not other.image.consensus.get().trusted
    other.image.refresh_from_db()
    assert other.image.split == "pool"


def test_an_audit_outweighs_the_others(task):
    brand = BrandFactory()
    for remote_id in (1, 2, 3):
        answer(task, answer="none", remote_id=remote_id)
    record_label(
        image=task.image, kind="brand", content=Content(answer="brand", brand=brand), source="audit"
    )
    assert task.image.consensus.get().brand == brand


def test_an_import_says_a_thing_once_and_corrects_itself():
    image, brand = ImageFactory(split="closed"), BrandFactory()
    first = [
        (image, "brand", Content(answer="brand", brand=brand)),
        (image, "boxes", Content(boxes=[])),
    ]
    assert import_labels(items=first) == 2
    assert import_labels(items=first) == 0
    assert import_labels(items=[(image, "brand", Content(answer="none"))]) == 1
    assert image.consensus.get(kind="brand").answer == "none"
    assert image.consensus.get(kind="boxes").boxes == []
