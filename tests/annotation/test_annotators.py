import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from active_learning.selectors.home import loop
from annotation.gold import add_gold
from annotation.labels import Content, record_label
from annotation.models import Hold
from annotation.selectors import annotators
from tests.factories import BrandFactory, ImageFactory, TaskFactory
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def team():
    """Two people, one of them right on every other gold item."""
    ensure_roles()
    brands = [BrandFactory() for _ in range(4)]
    people = [User.objects.create_user(name) for name in ("ada", "bob")]
    for n in range(12):
        item = add_gold(
            image=ImageFactory(), kind="brand", explanation="", by=None,
            content=Content(answer="brand", brand=brands[n % 2]),
        )  # fmt: skip
        task = TaskFactory(state="answered")
        for user in people:
            wrong = user.username == "bob" and n % 3 == 0
            said = Content(answer="brand", brand=brands[2] if wrong else brands[n % 2])
            for asked in (item.task, task):
                record_label(
                    image=asked.image, kind="brand", content=said, source="labeler", by=user,
                    task=asked, seconds=float(n),
                )  # fmt: skip
    return people


@pytest.fixture
def operator(db):
    ensure_roles()
    user = User.objects.create_user("op")
    user.groups.add(Group.objects.get(name="operations"))
    return user


def test_figures_of_each_person(team):
    ada, bob = team
    rows = {row.user: row for row in annotators.annotators()}
    assert (rows[ada].gold.value, rows[ada].gold.n) == (1.0, 12)
    assert rows[bob].gold.value == pytest.approx(8 / 12)
    assert rows[bob].gold.low < 8 / 12 < rows[bob].gold.high
    assert rows[ada].labels == 12  # gold answers are counted apart
    assert rows[ada].seconds == pytest.approx(5.5)
    assert len(rows[ada].drift) == 2
    assert next(row.user for row in annotators.annotators()) == bob  # who needs help comes first


def test_confusion_of_one_person(team):
    matrix = annotators.person(user=team[1]).against_gold
    wrong = sum(n for truth, cells in matrix.rows for _share, n, said in cells if truth != said)
    assert (wrong, matrix.total) == (4, 12)


def test_pages_take_few_queries_and_tell_of_holds(
    team, operator, client, django_assert_max_num_queries
):
    hold = Hold.objects.create(
        user=team[1], kind="brand", reason="below 75%", accuracy=0.5, low=0.4, high=0.6, answers=12
    )
    client.force_login(operator)
    for name, args in (("annotators", []), ("annotator", [team[1].pk]), ("gold", [])):
        with django_assert_max_num_queries(24):
            page = client.get(reverse(name, args=args))
        assert page.status_code == 200
        if name != "gold":
            assert "below 75%" in page.content.decode()
    assert any("below 75%" in alert for alert in loop().alerts)
    api = client.get("/api/holds/").json()
    assert api["results"][0]["id"] == hold.pk
    assert (
        client.post(f"/api/holds/{hold.pk}/release/", {"why": "", "keep": True}).status_code == 400
    )
    done = client.post(f"/api/holds/{hold.pk}/release/", {"why": "fine", "keep": True})
    assert done.status_code == 200
    again = client.post(f"/api/holds/{hold.pk}/release/", {"why": "fine", "keep": True})
    assert again.status_code == 409


@pytest.mark.usefixtures("team")
def test_a_labeler_sees_none_of_it(client):
    ensure_roles()
    labeler = User.objects.create_user("lab")
    labeler.groups.add(Group.objects.get(name="labeler"))
    client.force_login(labeler)
    for place in (
        "/annotators/",
        "/gold/",
        "/brand-groups/",
        "/api/gold/",
        "/api/holds/",
        "/api/skills/",
    ):
        assert client.get(place).status_code == 403, place


def test_gold_is_added_on_its_page(operator, client):
    image, brand = ImageFactory(), BrandFactory()
    client.force_login(operator)
    form = {"image": image.sha256[:12], "answer": brand.key, "explanation": "the star"}
    client.post(reverse("gold-add"), form)
    page = client.get(reverse("gold")).content.decode()
    assert "the star" in page
    client.post(reverse("gold-retire", args=[image.gold.get().pk]), {"why": "x"})
    assert image.gold.get().state == "retired"
    client.post(reverse("gold-add"), {**form, "image": "ffffffffffff"})
    assert image.gold.count() == 1
