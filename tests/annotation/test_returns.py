"""Labels that go back: asked again of one person, the first answer in force until the new one."""

import pytest
from django.contrib.auth.models import User

from annotation.labels import Content, record_label, retract_label
from annotation.labelstudio.reconcile import answers_here
from annotation.models import AuditEntry, Label, ReturnedTask, Task
from annotation.returns import ReturnError, cancel_return, send_back
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief():
    return User.objects.create_user("chief")


@pytest.fixture
def labeler():
    return User.objects.create_user("labeler")


def answer(task, by, *, remote_id, remote_hash="a", answer="none", brand=None, **kwargs):
    return record_label(
        image=task.image,
        kind=task.kind,
        content=Content(answer=answer, brand=brand),
        source=kwargs.pop("source", "labeler"),
        by=by,
        task=task,
        remote_id=remote_id,
        remote_hash=remote_hash,
        **kwargs,
    )


@pytest.fixture
def label(labeler):
    task = TaskFactory(
        state="pushed", remote_id=1, blind=True, focus_brand=BrandFactory(key="north"),
        proposal={"answer": "brand", "brand": "north", "score": 0.5},
    )  # fmt: skip
    return answer(task, labeler, remote_id=10)


def pushed(returned: ReturnedTask, remote_id: int = 2) -> Task:
    Task.objects.filter(pk=returned.task_id).update(state="pushed", remote_id=remote_id)
    returned.task.refresh_from_db()
    return returned.task


def in_force() -> list[str]:
    rows = Label.objects.filter(superseded_by=None, retracted=False, source="labeler")
    return [row.answer for row in rows]


def test_the_same_question_is_asked_of_the_same_person_with_the_comment(label, chief, labeler):
    returned = send_back(label=label, by=chief, comment="  Look at the tongue.  ")
    task = returned.task
    assert (returned.to, returned.state, returned.reason) == (labeler, "open", "sent_back")
    assert (task.only_for, task.note, task.state) == (labeler, "Look at the tongue.", "waiting")
    assert (task.kind, task.blind, task.focus_brand) == ("brand", True, label.task.focus_brand)
    assert task.proposal == label.task.proposal
    entry = AuditEntry.objects.get(action="send_back")
    assert (entry.by, entry.why) == (chief, "Look at the tongue.")


def test_the_first_answer_stands_until_the_new_one_takes_its_place(label, chief, labeler):
    brand = BrandFactory()
    returned = send_back(label=label, by=chief, comment="look again")
    assert label.image.consensus.get().answer == "none"
    new = answer(pushed(returned), labeler, remote_id=20, answer="brand", brand=brand)
    assert new.supersedes == label
    assert in_force() == ["brand"]
    decided = label.image.consensus.get()
    assert (decided.brand, decided.votes) == (brand, 1)
    returned.refresh_from_db()
    assert returned.state == "done"
    assert returned.done_at


def test_reading_the_first_answer_again_changes_nothing(label, chief, labeler):
    returned = send_back(label=label, by=chief, comment="look again")
    answer(pushed(returned), labeler, remote_id=20, answer="other")
    assert answer(label.task, labeler, remote_id=10) is None
    assert in_force() == ["other"]
    assert answers_here(kind="brand") == {1: 1, 2: 1}  # both are still in Label Studio
    assert retract_label(remote_id=10) is None
    # A person who changes the first annotation afterwards still has one answer in force.
    answer(label.task, labeler, remote_id=10, remote_hash="b", answer="unsure")
    assert in_force() == ["unsure"]


def test_a_new_answer_taken_back_opens_the_return_again(label, chief, labeler):
    returned = send_back(label=label, by=chief, comment="look again")
    task = pushed(returned)
    answer(task, labeler, remote_id=20, answer="other")
    retract_label(remote_id=20)
    returned.refresh_from_db()
    assert (returned.state, in_force()) == ("open", [])
    answer(task, labeler, remote_id=21, answer="none")
    returned.refresh_from_db()
    assert (returned.state, in_force()) == ("done", ["none"])


def test_somebody_elses_answer_to_it_supersedes_nothing(label, chief):
    returned = send_back(label=label, by=chief, comment="look again")
    answer(pushed(returned), chief, remote_id=20, answer="other")
    assert sorted(in_force()) == ["none", "other"]


def test_a_return_stands_beside_the_open_task_of_its_image_and_anothers_return(label, chief):
    second = User.objects.create_user("second")
    theirs = answer(label.task, second, remote_id=11, answer="other")
    TaskFactory(image=label.image)
    for one in (label, theirs):
        send_back(label=one, by=chief, comment="look again")
    assert Task.objects.filter(image=label.image, state="waiting").count() == 3


def test_what_cannot_go_back_is_refused_with_a_reason(label, chief, labeler):
    with pytest.raises(ReturnError, match="Say why"):
        send_back(label=label, by=chief, comment=" ")
    imported = record_label(
        image=ImageFactory(), kind="brand", content=Content(answer="none"), source="import"
    )
    with pytest.raises(ReturnError, match="nobody to return"):
        send_back(label=imported, by=chief, comment="look")
    gold = TaskFactory(state="pushed", remote_id=8, is_gold=True)
    with pytest.raises(ReturnError, match="gold"):
        send_back(label=answer(gold, labeler, remote_id=30), by=chief, comment="look")
    send_back(label=label, by=chief, comment="look")
    with pytest.raises(ReturnError, match="already"):
        send_back(label=label, by=chief, comment="look")
    User.objects.filter(pk=labeler.pk).update(is_active=False)
    label.by.refresh_from_db()
    with pytest.raises(ReturnError, match="does not work here"):
        send_back(label=label, by=chief, comment="look")


def test_a_replaced_answer_does_not_go_back(label, chief, labeler):
    answer(label.task, labeler, remote_id=10, remote_hash="b", answer="other")
    with pytest.raises(ReturnError, match="replaced"):
        send_back(label=label, by=chief, comment="look")


def test_a_cancelled_return_is_asked_no_more(label, chief):
    returned = send_back(label=label, by=chief, comment="look")
    cancel_return(returned=returned, by=chief, why="my mistake")
    returned.refresh_from_db()
    assert returned.state == "cancelled"
    assert Task.objects.get(pk=returned.task_id).state == "withdrawn"
    assert AuditEntry.objects.filter(action="cancel_return", why="my mistake").exists()
    with pytest.raises(ReturnError, match="meanwhile"):
        cancel_return(returned=returned, by=chief)
    assert in_force() == ["none"]
    send_back(label=label, by=chief, comment="look after all")
