import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from annotation.assignments import next_task
from annotation.labels import Content, record_label, retract_label
from annotation.models import AnnotatorSkill, Assignment, Consensus, Task
from annotation.tasking import withdraw_tasks
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_gold(settings):
    settings.GOLD_RATE, settings.MOST_ANSWERS = 0, 3


@pytest.fixture
def people():
    found = [User.objects.create_user(f"p{n}") for n in range(5)]
    for user in found:
        Assignment.objects.create(
            task=TaskFactory(state="answered"), to=user, state="done", expires_at=timezone.now()
        )
    return found


@pytest.fixture
def task():
    brands = [BrandFactory() for _ in range(6)]
    return TaskFactory(state="pushed", remote_id=1, focus_brand=brands[0])


def say(task, user, brand=None, remote_id=None):
    return record_label(
        image=task.image, kind="brand", source="labeler", by=user, task=task,
        content=Content(answer="brand" if brand else "none", brand=brand),
        remote_id=remote_id or 100 + user.pk, remote_hash="a",
    )  # fmt: skip


def state(task):
    task.refresh_from_db()
    return task.state, task.answers_wanted


def test_one_sure_answer_is_enough(task, people):
    AnnotatorSkill.objects.create(
        user=people[0], kind="brand", accuracy=0.99, low=0.98, high=1, answers=900,
        confusion={"*": {"*": 0.001}},
    )  # fmt: skip
    say(task, people[0], task.focus_brand)
    assert state(task) == ("answered", 1)
    assert Consensus.objects.get().trusted


def test_an_unsure_answer_is_asked_of_another_person_until_it_is_sure(task, people):
    say(task, people[0], task.focus_brand)
    assert state(task) == ("pushed", 2)
    assert not Consensus.objects.get().trusted
    task.image.refresh_from_db()
    assert task.image.split == "pool"
    assert next_task(user=people[0], kind="brand") is None
    assert next_task(user=people[1], kind="brand") == task
    say(task, people[1], task.focus_brand)
    assert state(task) == ("answered", 2)
    assert Consensus.objects.get().trusted


def test_it_ends_at_the_most_answers(task, people):
    other = BrandFactory()
    for user, brand in zip(people, (task.focus_brand, other, BrandFactory()), strict=False):
        assert state(task)[0] == "pushed"
        say(task, user, brand)
    assert state(task) == ("answered", 3)
    assert not Consensus.objects.get().trusted


def test_nobody_waits_for_a_person_who_does_not_exist(task):
    say(task, User.objects.create_user("alone"), task.focus_brand)
    assert state(task) == ("answered", 1)
    assert Consensus.objects.get().trusted


def test_a_task_that_wants_two_gets_two(people):
    task = TaskFactory(state="pushed", remote_id=1, answers_wanted=2)
    AnnotatorSkill.objects.create(
        user=people[0], kind="brand", accuracy=0.99, low=0.98, high=1, answers=900,
        confusion={"*": {"*": 0.001}},
    )  # fmt: skip
    say(task, people[0])
    assert state(task)[0] == "pushed"
    say(task, people[1])
    assert state(task)[0] == "answered"


def test_an_audit_ends_the_asking(task, people):
    say(task, people[0], task.focus_brand)
    assert state(task)[0] == "pushed"
    record_label(
        image=task.image, kind="brand", content=Content(answer="none"), source="audit",
        by=people[4],
    )  # fmt: skip
    assert state(task)[0] == "answered"


def test_an_answer_taken_back_may_be_given_again_by_the_same_person(task, people):
    assert next_task(user=people[0], kind="brand") == task
    say(task, people[0], task.focus_brand, remote_id=7)
    retract_label(remote_id=7)
    assert state(task)[0] == "pushed"
    assert next_task(user=people[0], kind="brand") == task


def test_a_round_that_ends_keeps_what_waited_for_a_second_opinion(task, people):
    say(task, people[0], task.focus_brand)
    silent = TaskFactory(state="pushed", remote_id=2, image=ImageFactory())
    assert withdraw_tasks(task_ids=[task.pk, silent.pk]) == 2
    assert Task.objects.get(pk=task.pk).state == "answered"
    assert Task.objects.get(pk=silent.pk).state == "withdrawn"
