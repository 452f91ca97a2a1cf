import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone

from annotation.assignments import open_count
from annotation.gold import add_gold
from annotation.gold_turns import next_gold
from annotation.labels import Content
from annotation.models import Assignment, AuditEntry, BrandGroup, GoldItem, Task, TestAttempt
from annotation.qualification_tests import QualificationError, current, start_test
from tests.factories import BrandFactory, ImageFactory, TaskFactory
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def ada():
    ensure_roles()
    user = User.objects.create_user("ada")
    user.groups.add(Group.objects.get(name="labeler"))
    return user


@pytest.fixture
def group():
    group = BrandGroup.objects.create(name="shoes", questions=4, pass_share=0.75)
    for n in range(3):
        brand = BrandFactory()
        group.brands.add(brand)
        for i in range(4):
            add_gold(
                image=ImageFactory(), kind="brand", content=Content(answer="brand", brand=brand),
                explanation=f"secret reason {n} {i}", by=None,
            )  # fmt: skip
    return group


def take(client, group, wrong: int = 0) -> TestAttempt:
    """Take the test through the pages."""
    client.post(reverse("test-start", args=[group.pk]))
    attempt = TestAttempt.objects.filter(finished_at__isnull=True).get()
    for n in range(group.questions):
        page = client.get(reverse("test", args=[group.pk])).content.decode()
        item = current(attempt=attempt)
        assert "secret reason" not in page
        others = group.brands.exclude(pk=item.brand_id)
        said = others[0].key if n < wrong else item.brand.key
        answered = client.post(
            reverse("test-answer", args=[group.pk]), {"position": n, "answer": said}, follow=True
        ).content.decode()
        assert item.explanation in answered
        attempt.refresh_from_db()
    return attempt


def test_a_test_is_passed_and_then_the_tasks_come(client, ada, group, settings):
    settings.GOLD_RATE = 0
    TaskFactory(state="pushed", remote_id=5, focus_brand=group.brands.first())
    assert open_count(user=ada, kind="brand") == 0
    client.force_login(ada)
    assert take(client, group, wrong=1).passed is True
    assert open_count(user=ada, kind="brand") == 1
    assert AuditEntry.objects.filter(action="pass_test").exists()
    with pytest.raises(QualificationError):
        start_test(user=ada, group=group)


def test_too_many_mistakes_fail_and_three_goes_a_day_are_enough(client, ada, group):
    client.force_login(ada)
    seen = set()
    for _ in range(3):
        attempt = take(client, group, wrong=2)
        assert attempt.passed is False
        assert not seen & set(attempt.items)  # new items while there are some
        seen |= set(attempt.items)
    client.post(reverse("test-start", args=[group.pk]))
    assert TestAttempt.objects.count() == 3


def test_the_page_says_nothing_of_the_answer_before_it_is_given(client, ada, group):
    client.force_login(ada)
    client.post(reverse("test-start", args=[group.pk]))
    response = client.get(reverse("test", args=[group.pk]))
    attempt = TestAttempt.objects.get()
    item = current(attempt=attempt)
    page = response.content.decode()
    assert "item" not in response.context or response.context.get("item") is None
    brands = [brand.key for brand in group.brands.order_by("pk")]
    # The options stand in the same order whatever is right.
    assert [page.index(f'value="{key}"') for key in brands] == sorted(
        page.index(f'value="{key}"') for key in brands
    )
    assert item.explanation not in page
    ahead = client.get(reverse("test", args=[group.pk]), {"shown": 0}).content.decode()
    assert item.explanation not in ahead


def test_an_answer_stands_and_none_can_be_given_ahead(client, ada, group):
    client.force_login(ada)
    client.post(reverse("test-start", args=[group.pk]))
    item = current(attempt=TestAttempt.objects.get())
    place = reverse("test-answer", args=[group.pk])
    client.post(place, {"position": 2, "answer": item.brand.key})
    client.post(place, {"position": 0, "answer": "no-such-brand"})
    assert TestAttempt.objects.get().answers == []
    client.post(place, {"position": 0, "answer": "@unsure"})
    client.post(place, {"position": 0, "answer": item.brand.key})
    assert [row["right"] for row in TestAttempt.objects.get().answers] == [False]


def test_what_was_shown_unseen_is_no_question_nor_the_other_way(ada, group, settings):
    settings.GOLD_RATE = 1
    hidden = GoldItem.objects.first()
    Assignment.objects.create(task=hidden.task, to=ada, expires_at=timezone.now())
    attempt = start_test(user=ada, group=group)
    assert hidden.pk not in attempt.items
    for n, task in enumerate(Task.objects.filter(is_gold=True)):
        Task.objects.filter(pk=task.pk).update(state="pushed", remote_id=n + 1)
    for _ in range(20):
        task = next_gold(user=ada, kind="brand", barred={})
        if task is not None:
            assert task.gold.pk not in attempt.items
            Assignment.objects.create(task=task, to=ada, expires_at=timezone.now())
    assert Assignment.objects.filter(to=ada).count() > 1


def test_operations_edit_groups_and_labelers_do_not(client, ada, group):
    operator = User.objects.create_user("op")
    operator.groups.add(Group.objects.get(name="operations"))
    brand = BrandFactory()
    form = {"name": "bags", "brands": [brand.key], "questions": 3, "percent": 90}
    client.force_login(ada)
    assert client.post(reverse("brand-group-save"), form).status_code == 403
    assert client.get(reverse("brand-groups")).status_code == 403
    client.force_login(operator)
    client.post(reverse("brand-group-save"), form)
    made = BrandGroup.objects.get(name="bags")
    assert (list(made.brands.all()), made.questions, made.pass_share) == ([brand], 3, 0.9)
    client.post(reverse("brand-group-save"), {**form, "group": group.pk})
    assert BrandGroup.objects.filter(name="bags").count() == 1  # the name is taken
    assert client.get(reverse("brand-groups")).status_code == 200
    client.post(reverse("brand-group-remove", args=[made.pk]))
    assert not BrandGroup.objects.filter(name="bags").exists()
