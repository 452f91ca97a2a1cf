"""Merchants and licences from a CSV file, and the page of them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from annotation.csv_upload import TableError
from annotation.licences import import_licences
from annotation.models import AuditEntry, Merchant, Qualification
from tests.factories import BrandFactory
from tests.webapp.conftest import _light  # noqa: F401
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db

HEAD = "merchant,name,brand,valid_from,valid_to\n"
TABLE = HEAD + (
    "m1,First Shop,stripes,2026-01-01,2026-12-31\n"
    "m1,First Shop,北风,2026-01-01,\n"
    "m2,,stripes,2026-01-01,\n"
)


@pytest.fixture(autouse=True)
def brands():
    return BrandFactory(key="stripes", name_en="Stripes"), BrandFactory(
        key="northwind", name_en="Northwind", name_zh="北风"
    )


@pytest.fixture
def operator():
    ensure_roles()
    user = User.objects.create_user("operator", password="x")
    user.groups.add(Group.objects.get(name="operations"))
    return user


def counts(text: str, by=None) -> tuple[int, ...]:
    return tuple(vars(import_licences(table=text.encode(), by=by)).values())


def test_a_table_is_written_once_and_corrected_later(operator):
    assert counts(TABLE, operator) == (2, 0, 3, 0, 0)
    seen = AuditEntry.objects.count()
    assert counts(TABLE) == (0, 0, 0, 0, 3)
    assert AuditEntry.objects.count() == seen
    later = HEAD + "m1,The First Shop,stripes,2026-01-01,2027-12-31\n"
    assert counts(later, operator) == (0, 1, 0, 1, 0)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.by, entry.subject) == (
        "import_licences",
        operator,
        "The First Shop",
    )
    assert entry.before == {
        "name": "First Shop", "stripes 2026-01-01": "2026-01-01 – 2026-12-31",
    }  # fmt: skip
    assert entry.after["stripes 2026-01-01"] == "2026-01-01 – 2027-12-31"
    assert Qualification.objects.count() == 3  # what no row names stays
    assert Merchant.objects.get(external_id="m2").name == ""


def test_every_bad_row_is_named_and_nothing_is_written():
    table = TABLE + (
        "m3,,nobody,2026-01-01,\n"
        ",,stripes,2026-01-01,\n"
        "m3,,stripes,01.02.2026,\n"
        "m3,,stripes,2026-01-01,2025-01-01\n"
    )
    with pytest.raises(TableError) as refused:
        import_licences(table=table.encode(), by=None)
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        f"row {number}" for number in (4, 5, 6, 7)
    ]
    assert not Merchant.objects.exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("m1,,stripes,2026-01-01,2026-06-30\n", "another end than row 1"),
        ("m1,Second Shop,stripes,2025-01-01,\n", "another name than row 1"),
    ],
)
def test_rows_that_contradict_each_other_are_named(more, says):
    with pytest.raises(TableError, match=says):
        import_licences(table=(TABLE + more).encode(), by=None)
    assert not Merchant.objects.exists()


def test_the_command_reads_a_file_and_fails_in_one_line(tmp_path, capsys):
    file = tmp_path / "licences.csv"
    file.write_text(TABLE, encoding="utf-8")
    call_command("import_licences", str(file))
    assert "2 merchants added, 0 renamed; 3 licences added" in capsys.readouterr().out
    for path, says in ((tmp_path / "none.csv", "No such file"), (tmp_path, "directory")):
        with pytest.raises(CommandError, match=says) as refused:
            call_command("import_licences", str(path))
        assert refused.value.returncode == 2


def test_the_page_lists_by_brand_and_filters_by_day(operator, django_assert_max_num_queries):
    today = timezone.localdate()
    rows = [
        ("old", "stripes", -300, -10),
        ("now", "stripes", -10, 10),
        ("long", "northwind", -10, None),
        ("next", "northwind", 20, None),
    ]
    text = HEAD + "".join(
        f"{name},,{brand},{today + timedelta(days=start)},"
        f"{'' if end is None else today + timedelta(days=end)}\n"
        for name, brand, start, end in rows
    )
    import_licences(table=text.encode(), by=None)
    client = Client()
    client.force_login(operator)

    def found(query: str) -> list[str]:
        with django_assert_max_num_queries(15):
            page = client.get(f"/licences/?{query}")
        return [row.merchant.external_id for row in page.context["rows"]]

    assert found("") == ["long", "next", "now", "old"]
    assert found(f"on={today}") == ["long", "now"]
    assert found(f"on={today + timedelta(days=25)}") == ["long", "next"]
    assert found("ending=30") == ["now"]
    assert found("brand=stripes&q=ol") == ["old"]


def test_the_page_imports_or_names_what_is_wrong(operator):
    client = Client()
    client.force_login(operator)

    def post(text: str):
        table = SimpleUploadedFile("l.csv", text.encode(), "text/csv")
        return client.post("/licences/import/", {"table": table}, follow=True)

    page = post(TABLE + "m9,,nobody,2026-01-01,\n")
    assert page.status_code == 400 and "row 4" in page.content.decode()
    assert not Qualification.objects.exists()
    assert "3 licences added" in post(TABLE).content.decode()
    assert client.post("/licences/import/").status_code == 400
    engineer = User.objects.create_user("engineer")
    engineer.groups.add(Group.objects.get(name="ml_engineer"))
    client.force_login(engineer)
    assert client.get("/licences/").status_code == 200
    assert client.post("/licences/import/").status_code == 403
