import pytest
from django.contrib.auth.models import User

from annotation import gold_answers
from annotation.gold import GoldError, add_gold, retire_gold
from annotation.labels import Content, record_label
from annotation.labelstudio import payload
from annotation.labelstudio.outbox import claim
from annotation.models import AuditEntry, Consensus, Task
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def brands():
    return [BrandFactory() for _ in range(9)]


def make(image=None, **content):
    kind = content.pop("kind", "brand")
    return add_gold(
        image=image or ImageFactory(), kind=kind, content=Content(**content), explanation="why",
        by=None,
    )  # fmt: skip


def test_gold_goes_out_like_any_other_blind_task(brands):
    proposal = {"candidates": [brand.key for brand in brands[:6]], "brand": brands[0].key,
                "answer": "brand", "score": 0.4}  # fmt: skip
    other = TaskFactory(blind=True, proposal=proposal, strategy="uncertain")
    item = make(answer="brand", brand=brands[7])
    tasks = [other, Task.objects.get(pk=item.task_id)]
    knowledge = payload.gather(tasks=tasks)
    theirs, ours = (payload.build(task=task, knowledge=knowledge).data for task in tasks)
    assert ours.keys() == theirs.keys()
    assert ours["data"].keys() == theirs["data"].keys()
    assert len(ours["data"]["brands"]) == len(theirs["data"]["brands"])
    assert brands[7].key in [choice["alias"] for choice in ours["data"]["brands"]]
    assert "gold" not in str(ours)
    assert "why" not in str(ours)


def test_gold_leaves_before_the_window_has_room(brands):
    for _ in range(3):
        TaskFactory()
    item = make(answer="none")
    assert [task.pk for task in claim(kind="brand", limit=9, beside_window=True)] == [item.task_id]
    assert len(claim(kind="brand", limit=9)) == 3


def test_its_answers_teach_nothing_and_it_stays_open(brands):
    item = make(answer="brand", brand=brands[0])
    Task.objects.filter(pk=item.task_id).update(state="pushed", remote_id=3)
    task = Task.objects.get(pk=item.task_id)
    for n, brand in enumerate((brands[0], brands[1])):
        record_label(
            image=item.image, kind="brand", content=Content(answer="brand", brand=brand),
            source="labeler", by=User.objects.create_user(f"u{n}"), task=task,
        )  # fmt: skip
    assert not Consensus.objects.exists()
    task.refresh_from_db()
    assert task.state == "pushed"
    item.image.refresh_from_db()
    assert item.image.split == "pool"
    answers = gold_answers.read(gold_answers.labels())
    assert [answer.right for answer in answers] == [True, False]


def test_not_sure_is_neither_right_nor_wrong(brands):
    item = make(answer="none")
    label = record_label(
        image=item.image, kind="brand", content=Content(answer="unsure"), source="labeler",
        by=User.objects.create_user("u"), task=item.task,
    )  # fmt: skip
    assert gold_answers.is_right(label=label, gold=item) is None


def test_boxes_are_right_where_they_coincide(brands):
    box = {"x1": 10, "y1": 10, "x2": 50, "y2": 50, "brand": brands[0].key}
    near = {**box, "x1": 13}
    far = {**box, "x1": 60, "x2": 90}
    assert gold_answers.same_boxes([near], [box])
    assert not gold_answers.same_boxes([far], [box])
    assert not gold_answers.same_boxes([], [box])
    assert gold_answers.same_boxes([], [])
    item = make(kind="boxes", boxes=[box])
    assert item.task.focus_brand == brands[0]


@pytest.mark.parametrize(
    "content",
    [{"answer": "unsure"}, {"answer": "brand"}, {"answer": ""}, {"kind": "variation"},
     {"kind": "boxes"}, {"kind": "boxes", "boxes": []}],
)  # fmt: skip
def test_what_cannot_be_right_is_no_gold(content):
    with pytest.raises(GoldError):
        make(**content)
    assert not Task.objects.exists()


def test_it_can_be_retired_and_made_anew_but_not_doubled(brands):
    image = ImageFactory()
    item = make(image=image, answer="none")
    with pytest.raises(GoldError):
        make(image=image, answer="brand", brand=brands[0])
    assert Task.objects.count() == 1
    retire_gold(item=item, by=None, why="wrong")
    item.task.refresh_from_db()
    assert item.task.state == "withdrawn"
    with pytest.raises(GoldError):
        retire_gold(item=item, by=None)
    make(image=image, answer="brand", brand=brands[0])
    assert AuditEntry.objects.filter(action__in=["add_gold", "retire_gold"]).count() == 3
