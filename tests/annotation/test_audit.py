"""The audit log: what is written into it, that nothing leaves it, and how it is read."""

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, connection, transaction
from django.test import Client

from annotation import audit
from annotation.account_changes import connect
from annotation.audit import note_label_change
from annotation.labels import Content, record_label, retract_label
from annotation.models import AuditEntry, Label
from annotation.selectors.audit import changes, entries, kinds_of
from annotation.words import query
from tests.factories import BrandFactory, ImageFactory
from tests.webapp.conftest import _light  # noqa: F401
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    ensure_roles()
    found = {}
    for role in ("admin", "operations", "ml_engineer", "labeler"):
        found[role] = User.objects.create_user(f"the-{role}", password="x")
        found[role].groups.add(Group.objects.get(name=role))
    return found


def last() -> AuditEntry:
    return AuditEntry.objects.latest("pk")


def test_no_row_can_be_changed_or_deleted():
    entry = audit.note(action="edit", subject=BrandFactory(), by=None, after={"name": "x"})
    for change in (
        lambda: AuditEntry.objects.filter(pk=entry.pk).update(action="nothing"),
        lambda: AuditEntry.objects.filter(pk=entry.pk).delete(),
        entry.delete,
        lambda: _execute("UPDATE annotation_auditentry SET why = 'never mind'"),
        lambda: _execute("DELETE FROM annotation_auditentry"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert AuditEntry.objects.filter(pk=entry.pk, action="edit").exists()


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_role_given_or_taken_is_noted_from_either_end(people):
    labeler, group = people["labeler"], Group.objects.get(name="operations")
    labeler.groups.add(group)
    assert last().action == "change_roles" and last().subject == "the-labeler"
    assert (last().before, last().after) == (
        {"roles": ["labeler"]},
        {"roles": ["labeler", "operations"]},
    )
    group.user_set.remove(labeler)
    assert last().after == {"roles": ["labeler"]}
    seen = AuditEntry.objects.count()
    labeler.groups.add(Group.objects.get(name="labeler"))  # has it already
    group.user_set.remove(labeler)
    assert AuditEntry.objects.count() == seen
    labeler.groups.clear()
    assert (last().before, last().after) == ({"roles": ["labeler"]}, {"roles": []})
    group.user_set.set([labeler, people["ml_engineer"]])
    group.user_set.clear()
    assert {entry.subject for entry in AuditEntry.objects.order_by("-pk")[:2]} == {
        "the-labeler",
        "the-ml_engineer",
    }


def test_an_account_leaves_its_changes_and_never_its_password(people):
    person = people["labeler"]
    person.is_active = False
    person.is_superuser = True
    person.set_password("a new secret")
    person.save()
    entry = last()
    assert entry.action == "change_account" and entry.by is None
    assert entry.before == {"is_active": True, "is_superuser": False, "password": "…"}
    assert entry.after == {"is_active": False, "is_superuser": True, "password": "new"}
    assert "secret" not in str(AuditEntry.objects.values())
    person.save()  # nothing new
    person.last_login = None
    person.save(update_fields=["last_login"])
    assert last() == entry
    User.objects.create_user("passing").delete()
    assert [e.action for e in AuditEntry.objects.filter(subject="passing").order_by("pk")] == [
        "create_account",
        "delete_account",
    ]


def test_listening_twice_notes_once():
    connect()
    User.objects.create_user("once")
    assert AuditEntry.objects.filter(subject="once").count() == 1


def test_a_change_in_the_admin_site_is_by_whoever_made_it(people):
    client = Client()
    client.force_login(people["admin"])
    labeler = people["labeler"]
    page = client.post(
        f"/admin/auth/user/{labeler.pk}/change/",
        {
            "username": "the-labeler",
            "is_active": "on",
            "groups": [Group.objects.get(name="operations").pk],
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
        },
    )
    assert page.status_code == 302, page.content[:2000]
    entry = AuditEntry.objects.get(
        action="change_roles", subject="the-labeler", after={"roles": ["operations"]}
    )
    assert entry.by == people["admin"]
    labeler.groups.clear()  # outside of a request: nobody
    assert last().by is None


def test_a_label_is_noted_when_it_corrects_takes_back_or_audits():
    brand, image, by = BrandFactory(key="stripes"), ImageFactory(), User.objects.create_user("who")
    first = record_label(
        image=image, kind="brand", content=Content(answer="none"), source="labeler", by=by,
        remote_id=1, remote_hash="a",
    )  # fmt: skip
    assert note_label_change(first) is None
    second = Label.objects.create(
        image=image, kind="brand", source="labeler", by=by, answer="brand", brand=brand,
        supersedes=first,
    )  # fmt: skip
    entry = note_label_change(second)
    assert entry.action == "correct_label" and entry.by == by
    assert (entry.before, entry.after) == (
        {"answer": "none"},
        {"answer": "brand", "brand": "stripes"},
    )
    gone = Label.objects.create(
        image=image, kind="brand", source="labeler", by=by, retracted=True, supersedes=second
    )
    assert note_label_change(gone).action == "retract_label"
    verdict = Label.objects.create(image=image, kind="brand", source="audit", answer="none", by=by)
    assert note_label_change(verdict).action == "audit_label"
    said = ("correct_label", "retract_label", "audit_label")
    before = AuditEntry.objects.filter(action__in=said).count()
    record_label(
        image=image, kind="brand", content=Content(answer="other"), source="labeler", by=by,
        remote_id=1, remote_hash="b",
    )  # fmt: skip
    retract_label(remote_id=1)
    record_label(image=image, kind="brand", content=Content(answer="none"), source="audit", by=by)
    assert AuditEntry.objects.filter(action__in=said).count() == before + 3
    imported = Label.objects.create(image=image, kind="brand", source="import", answer="none")
    assert note_label_change(imported) is None


def test_entries_are_found_by_english_and_chinese_words():
    brand = BrandFactory(name_en="Northwind")
    audit.note(
        action="edit", subject=brand, by=None, after={"rules": "鞋舌上的标志"}, why="complaint"
    )
    audit.note(action="edit", subject=BrandFactory(), by=None, after={"rules": "the sole"})
    for words in ("northwind", "标志", "complai", "Northwind 鞋舌"):
        assert entries().filter(words=query(words)).count() == 1, words
    assert not entries().filter(words=query("标舌")).exists()
    assert kinds_of("action") == ["edit"]


def test_differences_are_told_field_by_field():
    long = "Look for three parallel stripes on the side of the shoe, near the sole."
    entry = AuditEntry(
        before={"state": "draft", "rules": long, "features": [{"text": "a", "registered": True}]},
        after={
            "state": "draft",
            "rules": long.replace("three", "two"),
            "features": [{"text": "b", "registered": True}, {"text": "c"}],
            "registered": False,
        },
    )
    found, more = changes(entry)
    assert more == 0
    told = {change.name: (change.before, change.after) for change in found}
    assert told == {
        "rules": (None, None),
        "features › 1 › text": ("a", "b"),
        "features › 2 › text": (None, "c"),
        "registered": (None, "no"),
    }
    new, _more = changes(AuditEntry(before=None, after={"state": "open"}))
    assert [(change.name, change.before, change.after) for change in new] == [
        ("state", None, "open")
    ]
    assert ("three", True) in found[0].lines[0].before
    assert ("two", True) in found[0].lines[0].after


@pytest.fixture
def log(people):
    by = people["operations"]
    for number in range(60):
        audit.note(
            action="publish" if number % 2 else "edit",
            subject=BrandFactory(name_en=f"Brand <{number}>"),
            by=by if number % 3 else None,
            before={"rules": "x" * 80},
            after={"rules": "y" * 80, "note": "<script>alert(1)</script>"},
            why="as agreed",
        )


@pytest.mark.usefixtures("log")
def test_the_page_shows_differences_and_not_raw_values(people, django_assert_max_num_queries):
    client = Client()
    client.force_login(people["operations"])
    client.get("/audit/")
    with django_assert_max_num_queries(15):
        page = client.get("/audit/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "<del>" in text and "<ins>" in text and "as agreed" in text
    assert "<script>alert" not in text and "&quot;rules&quot;" not in text
    assert len(page.context["rows"]) == 40


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("q=agreed", 60),
        ("q=nowhere", 0),
        ("action=publish", 30),
        ("subject_type=brand", 60),
        ("by=the-operations&subject_type=brand", 40),
        ("since=2100-01-01", 0),
        ("since=2000-01-01&until=2100-01-01&subject_type=brand", 60),
    ],
)
def test_page_and_api_filter_alike(people, asked, number):
    client = Client()
    client.force_login(people["admin"])
    assert client.get(f"/audit/?{asked}").context["listing"].total == number
    assert client.get(f"/api/audit/?{asked}").json()["count"] == number


def test_the_log_is_for_operations_and_administrators_and_only_to_read(people):
    client = Client()
    for role, status in (
        ("admin", 200),
        ("operations", 200),
        ("ml_engineer", 403),
        ("labeler", 403),
    ):
        client.force_login(people[role])
        assert client.get("/audit/").status_code == status, role
        assert client.get("/api/audit/").status_code == status, role
    client.force_login(people["admin"])
    for method in (client.post, client.put, client.patch, client.delete):
        assert method("/api/audit/1/").status_code in (403, 405)
