"""Invitations, access and roles: who may give them, and what ends with them."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from annotation import invitations, people
from annotation.models import Assignment, AuditEntry, Invitation
from tests.demo_rows import make_people
from tests.factories import TaskFactory

PASSWORD = "a long and quiet road"


@pytest.fixture(autouse=True)
def _quick(settings):
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    cache.clear()


@pytest.fixture
def crew(db):
    return make_people()


def page_of(user):
    client = Client()
    client.force_login(user)
    return client


def invited(client, role="labeler", name="Wang Fang"):
    """The path of the link that the page shows."""
    page = client.post("/people/invite/", {"name": name, "role": role}, follow=True)
    found = re.search(r"http://[^/\s]+(/welcome/[^\s<]+)", page.content.decode())
    return found and found[1]


def test_an_invited_person_makes_an_account_and_lands_on_their_work(crew):
    link = invited(page_of(crew["operations"]))
    visitor = Client()
    assert b"Wang Fang" in visitor.get(link).content
    form = {"username": "wang.fang", "password1": PASSWORD, "password2": PASSWORD}
    answer = visitor.post(link, form)
    assert (answer.status_code, answer["Location"]) == (302, "/me/")
    assert visitor.get("/me/").status_code == 200
    user = User.objects.get(username="wang.fang")
    assert [group.name for group in user.groups.all()] == ["labeler"]
    assert Client().login(username="wang.fang", password=PASSWORD)
    assert AuditEntry.objects.filter(action="accept_invitation", by=user).count() == 1


def test_a_link_is_shown_once_works_once_and_is_kept_nowhere(crew):
    client = page_of(crew["operations"])
    link = invited(client)
    token = link.rstrip("/").rsplit("/", 1)[1]
    assert token not in client.get("/people/").content.decode()
    assert token not in str(Invitation.objects.values())
    form = {"username": "first", "password1": PASSWORD, "password2": PASSWORD}
    assert Client().post(link, form).status_code == 302
    again = Client().post(link, form | {"username": "second"})
    assert again.status_code == 404
    assert b"used already" in again.content
    assert not User.objects.filter(username="second").exists()


def test_a_weak_password_or_a_taken_name_is_refused_and_the_link_still_holds(crew):
    link = invited(page_of(crew["operations"]))
    for form in (
        {"username": "new", "password1": "short", "password2": "short"},
        {"username": "new", "password1": PASSWORD, "password2": "another one entirely"},
        {"username": "labeler", "password1": PASSWORD, "password2": PASSWORD},
    ):
        page = Client().post(link, form)
        assert page.status_code == 200
        assert b'role="alert"' in page.content
    assert not User.objects.filter(username="new").exists()
    assert Client().get(link).status_code == 200


def test_lapsed_revoked_and_invented_links_lead_nowhere(crew):
    client = page_of(crew["operations"])
    lapsed, revoked = invited(client, name="A"), invited(client, name="B")
    Invitation.objects.filter(name="A").update(expires_at=timezone.now() - timedelta(minutes=1))
    pk = Invitation.objects.get(name="B").pk
    assert client.post(f"/people/invitations/{pk}/revoke/").status_code == 302
    form = {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    for link in (lapsed, revoked, "/welcome/invented/"):
        assert Client().get(link).status_code == 404
        assert Client().post(link, form).status_code == 404
    assert not User.objects.filter(username="new").exists()
    assert AuditEntry.objects.filter(action="revoke_invitation").count() == 1


@pytest.mark.parametrize("role", ["operations", "ml_engineer", "admin"])
def test_only_an_administrator_invites_staff(crew, role):
    assert invited(page_of(crew["operations"]), role=role) is None
    assert not Invitation.objects.exists()
    assert invited(page_of(crew["admin"]), role=role)
    pk = Invitation.objects.get().pk
    page_of(crew["operations"]).post(f"/people/invitations/{pk}/revoke/")
    assert Invitation.objects.get().revoked_at is None


def test_who_is_deactivated_is_out_at_once_and_their_tasks_are_free(crew):
    labeler = crew["labeler"]
    their_page = page_of(labeler)
    assert their_page.get("/me/").status_code == 200
    held = Assignment.objects.create(
        task=TaskFactory(), to=labeler, expires_at=timezone.now() + timedelta(hours=1)
    )
    cache.set(f"gateway:entry:{labeler.pk}", {"any": "session"})
    page_of(crew["operations"]).post(f"/people/{labeler.pk}/deactivate/")
    assert their_page.get("/me/").status_code == 302
    assert not Client().login(username="labeler", password="labeler")
    held.refresh_from_db()
    assert held.state == Assignment.State.EXPIRED
    assert cache.get(f"gateway:entry:{labeler.pk}") is None
    assert AuditEntry.objects.get(action="deactivate").subject == "labeler"
    page_of(crew["operations"]).post(f"/people/{labeler.pk}/activate/")
    assert Client().login(username="labeler", password="labeler")


def test_operations_staff_change_labelers_only_and_nobody_themselves(crew):
    for by, user in (
        ("operations", "ml_engineer"),
        ("operations", "admin"),
        ("operations", "operations"),
        ("admin", "admin"),
    ):
        with pytest.raises(people.PeopleError):
            people.deactivate(user=crew[user], by=crew[by])
    assert not User.objects.filter(is_active=False).exists()


def test_roles_are_given_by_administrators_alone(crew):
    user = crew["labeler"]
    client = page_of(crew["admin"])
    assert page_of(crew["operations"]).post(f"/people/{user.pk}/roles/").status_code == 403
    client.post(f"/people/{user.pk}/roles/", {"role": ["operations"]})
    assert set(user.groups.values_list("name", flat=True)) == {"operations"}
    client.post(f"/people/{user.pk}/roles/", {"role": ["emperor"]})
    assert set(user.groups.values_list("name", flat=True)) == {"operations"}
    with pytest.raises(people.PeopleError):
        people.set_roles(user=user, roles=["labeler"], by=crew["operations"])


def test_a_name_or_a_role_that_will_not_do_is_refused(crew):
    for name, role in (("", "labeler"), ("   ", "labeler"), ("x" * 200, "labeler"), ("x", "king")):
        with pytest.raises(invitations.InvitationError):
            invitations.invite(name=name, role=role, by=crew["admin"])


def test_the_page_stays_quick_with_many_people(crew, django_assert_max_num_queries):
    User.objects.bulk_create(User(username=f"labeler-{n:03}") for n in range(80))
    client = page_of(crew["admin"])
    with django_assert_max_num_queries(15):
        page = client.get("/people/")
    assert page.content.decode().count("<tr>") > 40
    assert client.get("/people/?q=labeler-07&role=labeler&access=active").status_code == 200


def test_a_password_is_changed_by_its_owner_who_stays_logged_in_here_alone(crew):
    here, elsewhere = page_of(crew["labeler"]), page_of(crew["labeler"])
    form = {"old_password": "wrong", "new_password1": PASSWORD, "new_password2": PASSWORD}
    refused = here.post("/account/password/", form)
    assert refused.status_code == 400
    assert b'role="alert"' in refused.content
    assert here.post("/account/password/", form | {"old_password": "labeler"}).status_code == 302
    assert here.get("/me/").status_code == 200
    assert elsewhere.get("/me/").status_code == 302
    assert Client().login(username="labeler", password=PASSWORD)
