import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone

from annotation import holds, skills
from annotation.assignments import next_task
from annotation.gold import add_gold
from annotation.labels import Content, record_label
from annotation.models import (
    AnnotatorSkill,
    Assignment,
    AuditEntry,
    Consensus,
    HeldLabel,
    Hold,
    Label,
    Task,
)
from tests.factories import BrandFactory, ImageFactory, TaskFactory
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def brands():
    return [BrandFactory() for _ in range(6)]


def person(name: str, role: str = "labeler") -> User:
    ensure_roles()
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=role))
    return user


def at_work(user: User) -> None:
    """They were handed a task a moment ago."""
    Assignment.objects.create(
        task=TaskFactory(state="answered"), to=user, state="done", expires_at=timezone.now()
    )


def say(task: Task, user: User, brand=None) -> Label:
    content = Content(answer="brand" if brand else "none", brand=brand)
    return record_label(
        image=task.image, kind="brand", content=content, source="labeler", by=user, task=task
    )


def pushed(**kwargs) -> Task:
    return TaskFactory(state="pushed", remote_id=10_000 + Task.objects.count(), **kwargs)


def gold(brand, number=[20_000]) -> Task:  # noqa: B006 - counts
    item = add_gold(
        image=ImageFactory(), kind="brand", content=Content(answer="brand", brand=brand),
        explanation="", by=None,
    )  # fmt: skip
    number[0] += 1
    Task.objects.filter(pk=item.task_id).update(state="pushed", remote_id=number[0])
    return Task.objects.get(pk=item.task_id)


def fail_on_gold(user: User, brands, most: int = 30) -> int:
    """Answer gold wrongly until held; returns how many it took."""
    for n in range(1, most + 1):
        say(gold(brands[n % 5]), user, brands[(n + 1) % 5])
        if Hold.objects.filter(user=user).exists():
            return n
    raise AssertionError("never held")


def test_a_spammer_is_held_soon_and_their_labels_are_asked_again(brands, settings):
    eve, ben = person("eve"), person("ben")
    at_work(eve), at_work(ben)
    task = pushed()
    say(task, eve, brands[0])
    Task.objects.filter(pk=task.pk).update(state="answered")
    assert fail_on_gold(eve, brands) <= 12
    hold = Hold.objects.get()
    assert hold.user == eve
    assert hold.accuracy < 0.5
    assert HeldLabel.objects.get().label.task == task
    assert not Consensus.objects.exists()
    task.refresh_from_db()
    assert task.state == "pushed"
    assert AuditEntry.objects.filter(action="hold").exists()
    assert next_task(user=eve, kind="brand") is None
    settings.GOLD_RATE = 0  # or gold might come first
    assert next_task(user=ben, kind="brand") == task
    # What they answer meanwhile waits with the rest.
    say(pushed(), eve, brands[1])
    assert HeldLabel.objects.count() == 2


def test_a_good_labeler_is_not_held(brands):
    ada = person("ada")
    for n in range(30):
        right = brands[n % 5]
        say(gold(right), ada, brands[(n + 1) % 5] if n % 10 == 9 else right)
    assert not Hold.objects.exists()


def test_a_task_gone_from_label_studio_is_asked_anew(brands):
    eve = person("eve")
    task = TaskFactory(state="answered", strategy="uncertain")
    say(task, eve, brands[0])
    fail_on_gold(eve, brands)
    again = Task.objects.get(strategy="held_again")
    assert (again.image, again.state) == (task.image, "waiting")


def test_what_others_said_stands_without_being_asked_again(brands):
    eve = person("eve")
    task = TaskFactory(state="answered", remote_id=9)
    for name in ("a", "b", "c"):
        say(task, person(name), brands[0])
    say(task, eve, brands[0])
    fail_on_gold(eve, brands)
    task.refresh_from_db()
    assert task.state == "answered"
    assert Consensus.objects.get(image=task.image).votes == 3


@pytest.mark.parametrize("keep", [True, False])
def test_a_release_counts_the_labels_again_or_leaves_them_out(brands, client, keep):
    eve, operator = person("eve"), person("op", "operations")
    task = pushed()
    say(task, eve, brands[0])
    fail_on_gold(eve, brands)
    hold = Hold.objects.get()
    client.force_login(operator)
    place = reverse("hold-release", args=[hold.pk])
    client.post(place, {"why": "", "keep": "yes"})
    hold.refresh_from_db()
    assert hold.released_at is None  # a reason is asked for
    client.post(place, {"why": "the guideline was wrong", "keep": "yes" if keep else "no"})
    hold.refresh_from_db()
    assert (hold.released_by, hold.release_why) == (operator, "the guideline was wrong")
    assert Consensus.objects.filter(image=task.image).exists() is keep
    assert AuditEntry.objects.filter(action="release").exists()
    # They begin afresh: one more mistake is not enough to be held again.
    say(gold(brands[0]), eve, brands[1])
    assert Hold.objects.count() == 1
    with pytest.raises(holds.HoldError):
        holds.release(hold=hold, by=operator, why="again", keep=True)


def test_a_labeler_may_release_nobody(brands, client):
    eve = person("eve")
    fail_on_gold(eve, brands)
    client.force_login(eve)
    place = reverse("hold-release", args=[Hold.objects.get().pk])
    assert client.post(place, {"why": "x", "keep": "yes"}).status_code == 403


def test_a_minutes_beat_fits_judges_and_lets_go_of_what_nobody_can_answer(brands):
    ada, ben = person("ada"), person("ben")
    at_work(ada), at_work(ben)
    task = pushed()
    say(task, ada, brands[0])
    task.refresh_from_db()
    assert task.state == "pushed"  # one answer of a newcomer is not sure enough
    Assignment.objects.filter(to=ben).update(created_at=timezone.now() - timezone.timedelta(days=1))
    skills.tend()
    task.refresh_from_db()
    assert task.state == "answered"
    assert AnnotatorSkill.objects.filter(user=ada).exists()
    assert Consensus.objects.get(image=task.image).trusted
