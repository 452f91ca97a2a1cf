import threading
import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone

from annotation.assignments import expire_assignments, may_open, next_task, open_count
from annotation.labels import Content, record_label
from annotation.models import Assignment, BrandGroup, GoldItem, Hold, Task, TestAttempt
from annotation.models.image import Image, ImageGroup
from tests.factories import BrandFactory, ImageFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_gold(settings):
    settings.GOLD_RATE = 0


def person(name: str) -> User:
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get_or_create(name="labeler")[0])
    return user


@pytest.fixture
def ada():
    return person("ada")


@pytest.fixture
def ben():
    return person("ben")


def pushed(**kwargs) -> Task:
    number = Task.objects.count() + 1
    return TaskFactory(state="pushed", remote_id=number, **kwargs)


def answer(task: Task, by: User, brand=None):
    return record_label(
        image=task.image,
        kind=task.kind,
        content=Content(answer="brand" if brand else "none", brand=brand),
        source="labeler",
        by=by,
        task=task,
        remote_id=task.remote_id * 100 + by.pk,
        remote_hash="a",
    )


def test_tasks_come_by_priority_then_age(ada):
    last, first, second = pushed(priority=0), pushed(priority=5), pushed(priority=5)
    given = []
    for _ in range(3):
        task = next_task(user=ada, kind="brand")
        given.append(task)
        answer(task, ada)
    assert given == [first, second, last]
    assert next_task(user=ada, kind="brand") is None


def test_asking_again_gives_the_task_that_is_open(ada):
    pushed(), pushed()
    task = next_task(user=ada, kind="brand")
    assert next_task(user=ada, kind="brand") == task
    assert Assignment.objects.count() == 1


def test_two_people_never_hold_the_same_task(ada, ben):
    pushed()
    assert next_task(user=ada, kind="brand") is not None
    assert next_task(user=ben, kind="brand") is None
    assert open_count(user=ben, kind="brand") == 0


def test_what_is_left_lying_is_free_again_and_the_person_may_have_it_once_more(ada, ben, settings):
    task = pushed()
    assert next_task(user=ada, kind="brand") == task
    Assignment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert next_task(user=ben, kind="brand") == task
    Assignment.objects.filter(to=ben).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert expire_assignments() == 2
    assert next_task(user=ada, kind="brand") == task


def test_another_kind_of_task_is_another_line(ada):
    boxes = pushed(kind="boxes")
    assert next_task(user=ada, kind="brand") is None
    assert next_task(user=ada, kind="boxes") == boxes


def test_only_what_was_handed_over_may_be_opened(ada, ben):
    task, other = pushed(), pushed()
    own = pushed(only_for=ben)
    assert next_task(user=ada, kind="brand") == task
    assert may_open(user=ada, task=task)
    assert not may_open(user=ada, task=other)
    assert not may_open(user=ada, task=own)
    assert may_open(user=ben, task=own)


def test_a_returned_task_comes_first_and_to_its_person_alone(ada, ben):
    task, own = pushed(priority=9), pushed(only_for=ada)
    assert next_task(user=ben, kind="brand") == task
    assert next_task(user=ada, kind="brand") == own


def test_a_second_opinion_comes_from_another_person(ada, ben):
    task = pushed(answers_wanted=2)
    assert next_task(user=ada, kind="brand") == task
    assert next_task(user=ben, kind="brand") == task  # wanted twice: both at once
    Assignment.objects.all().delete()
    answer(task, ada)
    Task.objects.update(state="pushed")
    assert next_task(user=ada, kind="brand") is None
    assert next_task(user=ben, kind="brand") == task


def test_an_image_labelled_before_is_not_asked_of_the_same_person_while_others_are_there(ada, ben):
    first = pushed()
    Assignment.objects.create(to=ben, task=first, state="done", expires_at=timezone.now())
    answer(first, ada)
    Task.objects.update(state="answered")
    again = pushed(image=first.image)
    assert next_task(user=ada, kind="brand") is None
    # With nobody else at work the round would wait for ever.
    Assignment.objects.all().delete()
    assert next_task(user=ada, kind="brand") == again


def test_a_changed_guideline_is_asked_of_those_who_answered_before(ada, ben):
    first = pushed()
    Assignment.objects.create(to=ben, task=first, expires_at=timezone.now())
    answer(first, ada)
    Task.objects.update(state="answered")
    again = pushed(image=first.image, strategy="guideline_changed")
    assert next_task(user=ada, kind="brand") == again
    answer(again, ada)
    Task.objects.filter(pk=again.pk).update(state="pushed", answers_wanted=2)
    assert next_task(user=ada, kind="brand") is None


def test_a_held_person_gets_nothing_of_that_kind(ada):
    pushed(), pushed(kind="variation")
    Hold.objects.create(
        user=ada, kind="brand", reason="x", accuracy=0.5, low=0.4, high=0.6, answers=30
    )
    assert next_task(user=ada, kind="brand") is None
    assert open_count(user=ada, kind="brand") == 0
    assert next_task(user=ada, kind="variation") is not None


def test_a_batch_keeps_its_brand_among_equals(ada):
    red, blue = BrandFactory(), BrandFactory()
    order = [pushed(focus_brand=brand) for brand in (red, blue, red, blue, red)]
    given = []
    for _ in order:
        task = next_task(user=ada, kind="brand")
        given.append(task.focus_brand)
        answer(task, ada)
    assert given == [red, red, red, blue, blue]


def gold(brand=None, image=None) -> GoldItem:
    image = image or ImageFactory()
    return GoldItem.objects.create(
        image=image, kind="brand", answer="brand" if brand else "none", brand=brand,
        task=pushed(image=image, is_gold=True, strategy="gold"),
    )  # fmt: skip


def worked_through(user: User, count: int) -> list[Task]:
    given = []
    for _ in range(count):
        task = next_task(user=user, kind="brand")
        if task is None:
            break
        given.append(task)
        Assignment.objects.filter(task=task, to=user).update(state="done")
    return given


def test_gold_comes_at_the_rate_more_often_at_first_and_never_twice(ada, ben, settings):
    settings.GOLD_RATE = 0.1
    for _ in range(30):
        gold()
    for _ in range(130):
        pushed(answers_wanted=2)
    turns = {}
    for user in (ada, ben):
        given = worked_through(user, 140)
        turns[user] = [i for i, task in enumerate(given) if task.is_gold]
        seen = [task.pk for task in given]
        assert len(seen) == len(set(seen))
        early = [i for i in turns[user] if i < 40]
        assert len(early) >= 6
        assert 10 + 5 <= len(turns[user]) <= 10 + 19
        assert max(b - a for a, b in zip(turns[user], turns[user][1:], strict=False)) <= 19
    assert turns[ada] != turns[ben]


def test_gold_is_never_an_image_the_person_knows(ada, settings):
    settings.GOLD_RATE = 1
    labelled, tested, fresh = gold(), gold(), gold()
    known = pushed(image=labelled.image)
    answer(known, ada)
    group = BrandGroup.objects.create(name="shoes")
    TestAttempt.objects.create(user=ada, group=group, items=[tested.pk])
    assert next_task(user=ada, kind="brand") == fresh.task
    answer(fresh.task, ada)
    assert next_task(user=ada, kind="brand") is None


def test_retired_gold_is_not_shown(ada, settings):
    settings.GOLD_RATE = 1
    item = gold()
    GoldItem.objects.filter(pk=item.pk).update(state="retired")
    assert next_task(user=ada, kind="brand") is None


def test_brands_of_a_group_wait_for_its_test(ada):
    brand, outside = BrandFactory(), BrandFactory()
    group = BrandGroup.objects.create(name="shoes", questions=1)
    group.brands.add(brand)
    focus = pushed(focus_brand=brand)
    proposed = pushed(proposal={"brand": brand.key})
    top = pushed(proposal={"candidates": [brand.key, outside.key]})
    second = pushed(proposal={"candidates": [outside.key, brand.key]})
    silent = pushed(focus_brand=outside)
    # Without gold there is no test, and nothing waits for one.
    assert open_count(user=ada, kind="brand") == 5
    gold(brand=brand)
    assert open_count(user=ada, kind="brand") == 2
    assert {task.pk for task in worked_through(ada, 5)} == {second.pk, silent.pk}
    TestAttempt.objects.create(user=ada, group=group, items=[], passed=True)
    assert {task.pk for task in worked_through(ada, 5)} == {focus.pk, proposed.pk, top.pk}


def bulk_tasks(count: int, first: int = 0) -> None:
    group = ImageGroup.objects.create(role="training")
    numbers = range(first, first + count)
    images = Image.objects.bulk_create(
        (ImageFactory.build(group=group, sha256=f"{i:064}") for i in numbers), batch_size=2000
    )
    brands = [BrandFactory() for _ in range(10)]
    Task.objects.bulk_create(
        (
            Task(
                image=image, kind="brand", state="pushed" if i % 5 == 0 else "waiting",
                strategy="x", remote_id=i if i % 5 == 0 else None, focus_brand=brands[i % 10],
            )
            for i, image in zip(numbers, images, strict=True)
        ),
        batch_size=2000,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def effort_a_task(user: User, count: int = 25) -> float:
    """Of handing one out, in the time that the database takes to count to 20,000 just then; the
    least: what other work on the machine disturbs least."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        task = next_task(user=user, kind="brand")
        middle = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM generate_series(1, 20000)")
        took.append((middle - begun) / (time.perf_counter() - middle))
        Assignment.objects.filter(task=task).update(state="done")
    return min(took)


@pytest.mark.slow
def test_handing_out_takes_no_longer_among_many_tasks(ada, ben):
    """About 8 ms on a machine of its own, whatever their number."""
    group = BrandGroup.objects.create(name="shoes", questions=1)
    group.brands.add(BrandFactory())
    bulk_tasks(300)
    few = effort_a_task(ada)
    bulk_tasks(8_000, first=300)
    assert effort_a_task(ben) < 3 * few


@pytest.mark.django_db(transaction=True)
def test_people_asking_at_the_same_moment_get_different_tasks():
    people = [person(f"p{i}") for i in range(6)]
    for _ in range(12):
        pushed()
    start, given = threading.Barrier(6), []

    def work(user):
        start.wait()
        given.extend((user.pk, next_task(user=user, kind="brand").pk) for _ in range(2))
        connection.close()

    threads = [threading.Thread(target=work, args=(user,)) for user in people]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(set(given)) == 6  # twice the same to the same person
    assert len({task for _, task in given}) == 6
