"""Missed risks: where they go by the day they were found, and the ways in."""

import io
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from active_learning.datasets import evaluation_manifest
from annotation.csv_upload import TableError
from annotation.ingest import ingest_folder
from annotation.missed import Finding, MissedRiskError, enter_missed_risk, read_upload
from annotation.missed_table import import_missed
from annotation.models import AuditEntry, Image, Label, MissedRisk, Product
from tests.annotation.ingest.conftest import own_storage, picture  # noqa: F401
from tests.factories import BrandFactory, ImageFactory
from tests.webapp.conftest import _light  # noqa: F401
from webapp.roles import ensure_roles

pytestmark = pytest.mark.django_db

AFTER, BEFORE = date(2026, 3, 1), date(2025, 12, 31)


@pytest.fixture(autouse=True)
def cutoff(settings, tmp_path):
    settings.BUSINESS_CUTOFF = date(2026, 1, 1)
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def operator():
    ensure_roles()
    user = User.objects.create_user("operator", password="x")
    user.groups.add(Group.objects.get(name="operations"))
    return user


@pytest.fixture
def brand():
    return BrandFactory(key="stripes", name_en="Stripes", name_zh="条纹")


def file_of(seed: int, name: str = "found.jpg", *, quality: int = 95) -> SimpleUploadedFile:
    out = io.BytesIO()
    picture(seed).save(out, "JPEG", quality=quality)
    return SimpleUploadedFile(name, out.getvalue(), "image/jpeg")


def enter(brand, day, by=None, **what):
    finding = Finding(brand, "infringement", "complaint", day, has_logo=True, note="a note")
    return enter_missed_risk(finding=finding, by=by, **what)


def ingested(tmp_path, seed: int, split: str, *, quality: int = 95) -> Image:
    folder = tmp_path / f"{split}-{seed}"
    folder.mkdir()
    (folder / "p.jpg").write_bytes(file_of(seed, quality=quality).read())
    (folder / "products.csv").write_text("id,file,brand\np,p.jpg,\n")
    ingest_folder(directory=folder, source="shop", split=split, processes=1)
    return Image.objects.latest("pk")


def test_found_after_the_cutoff_it_is_in_the_business_set_with_risk_and_logo(brand, operator):
    entered = enter(brand, AFTER, operator, upload=read_upload(file_of(1)))
    image = entered.missed.image
    assert entered.is_new and not entered.stays
    assert (image.split, image.group.role) == ("business", "test")
    label = entered.missed.label
    assert (label.source, label.risk, label.has_logo, label.by) == (
        "audit", "infringement", True, operator,
    )  # fmt: skip
    (row,) = evaluation_manifest().rows("business").to_pylist()
    assert (row["sha256"], row["brand"], row["risk"], row["has_logo"]) == (
        image.sha256, "stripes", "infringement", True,
    )  # fmt: skip
    assert AuditEntry.objects.filter(action="enter_missed", by=operator).exists()


def test_on_the_day_of_the_cutoff_it_tests_and_the_day_before_it_trains(brand):
    on = enter(brand, date(2026, 1, 1), upload=read_upload(file_of(1)))
    before = enter(brand, BEFORE, upload=read_upload(file_of(2)))
    assert on.missed.image.split == "business"
    assert before.missed.image.split in ("train", "val")
    assert not before.stays


def test_a_known_training_image_stays_and_that_is_said(brand, tmp_path):
    image = ingested(tmp_path, 1, "pool")
    entered = enter(brand, AFTER, upload=read_upload(file_of(1)))
    assert not entered.is_new and entered.missed.image == image
    assert "training material already" in entered.stays
    image.refresh_from_db()
    assert image.split in ("train", "val")  # its label takes it out of the pool
    assert evaluation_manifest().rows("business").num_rows == 0


@pytest.mark.parametrize(
    ("split", "day", "expected"),
    [
        ("pool", AFTER, ({"train", "val"}, "training material")),
        ("train", AFTER, ({"train", "val"}, "training material")),
        ("closed", BEFORE, ({"closed"}, "test material")),
        ("open", AFTER, ({"business"}, "")),
        ("train", BEFORE, ({"train", "val"}, "")),
    ],
)
def test_a_new_picture_near_a_known_one_shares_its_role(brand, tmp_path, split, day, expected):
    lies, says = expected
    known = ingested(tmp_path, 1, split)
    entered = enter(brand, day, upload=read_upload(file_of(1, quality=40)))
    assert entered.is_new and entered.missed.image.group_id == known.group_id
    assert entered.missed.image.split in lies
    assert says in entered.stays and bool(says) == bool(entered.stays)


def test_a_known_test_image_stays_in_its_set(brand, tmp_path):
    image = ingested(tmp_path, 1, "open")
    entered = enter(brand, AFTER, image=image)
    assert entered.missed.image.split == "open" and "stays in its set" in entered.stays


def test_a_risk_is_entered_once_an_image_and_brand(brand):
    image = ImageFactory()
    enter(brand, AFTER, image=image)
    with pytest.raises(MissedRiskError, match="already"):
        enter(brand, AFTER, image=image)
    enter(BrandFactory(), AFTER, image=image)
    assert MissedRisk.objects.count() == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"found_on": timezone.localdate() + timedelta(days=2)}, "still to come"),
        ({"risk": "theft"}, "unknown risk"),
        ({"channel": "rumour"}, "unknown channel"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(brand, change, says):
    said = {"brand": brand, "risk": "smear", "channel": "audit", "found_on": AFTER} | change
    with pytest.raises(MissedRiskError, match=says):
        enter_missed_risk(finding=Finding(**said), upload=read_upload(file_of(1)), by=None)
    assert not Image.objects.exists() and not Label.objects.exists()


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", b"GIF89a broken"],
)
def test_a_file_that_is_no_picture_is_refused(data):
    with pytest.raises(MissedRiskError, match=r"x\.jpg"):
        read_upload(SimpleUploadedFile("../x.jpg", data))


HEAD = "image,product,brand,risk,channel,found_on,has_logo,note\n"


def test_a_table_enters_pictures_hashes_and_products(brand, operator):
    known = ImageFactory()
    product = Product.objects.create(source="shop", external_id="7", title="shoe")
    of_product = ImageFactory(product=product)
    table = HEAD + (
        "a.jpg,,条纹,smear,complaint,2026-02-01,1,投诉\n"
        f"{known.sha256},,Stripes,knock_off,audit,2025-02-01,0,\n"
        ",shop/7,stripes,infringement,audit,2025-02-01,,\n"
    )
    entered = import_missed(
        table=table.encode("utf-8-sig"), pictures=[file_of(1, "a.jpg")], by=operator
    )
    assert [row.is_new for row in entered] == [True, False, False]
    assert entered[0].missed.image.split == "business" and entered[0].missed.note == "投诉"
    assert entered[1].missed.has_logo is False
    assert entered[2].missed.image == of_product and entered[2].missed.has_logo is None


def test_one_picture_may_be_named_for_two_brands(brand):
    other = BrandFactory()
    table = HEAD + (
        f"a.jpg,,stripes,smear,audit,2026-02-01,,\na.jpg,,{other.key},smear,audit,2026-02-01,,\n"
    )
    entered = import_missed(table=table.encode(), pictures=[file_of(1, "a.jpg")], by=None)
    assert len({row.missed.image_id for row in entered}) == 1


def test_every_bad_row_is_named_and_none_is_entered(brand):
    BrandFactory(key="gone", name_en="Gone", state="retired")
    table = HEAD + (
        "a.jpg,,stripes,smear,audit,2026-02-01,,\n"
        "b.jpg,,stripes,smear,audit,2026-02-01,,\n"
        "a.jpg,,nobody,smear,audit,2026-02-01,,\n"
        "a.jpg,,stripes,smear,audit,yesterday,,\n"
        "a.jpg,,stripes,smear,audit,2026-02-01,maybe,\n"
        ",nothing,stripes,smear,audit,2026-02-01,,\n"
        "a.jpg,,gone,smear,audit,2026-02-01,,\n"
    )
    with pytest.raises(TableError) as refused:
        import_missed(table=table.encode(), pictures=[file_of(1, "a.jpg")], by=None)
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        f"row {number}" for number in (2, 3, 4, 5, 6, 7)
    ]
    assert not Image.objects.exists() and not MissedRisk.objects.exists()


def test_a_row_that_clashes_only_when_written_takes_the_others_back(brand):
    row = "a.jpg,,stripes,smear,audit,2026-02-01,,\n"
    with pytest.raises(TableError, match=r"row 2: .*already"):
        import_missed(table=(HEAD + row + row).encode(), pictures=[file_of(1, "a.jpg")], by=None)
    assert not Image.objects.exists() and not Label.objects.exists()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (b"", "no column"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"brand,risk,channel,found_on,colour\n", "unknown column"),
        (b"brand,risk,channel,found_on\n", "no row"),
        (b"brand,risk,channel,found_on\na,b,c,d,e\n", "more cells"),
    ],
)
def test_a_file_that_is_no_such_table_says_why(table, says):
    with pytest.raises(TableError, match=says):
        import_missed(table=table, by=None)


def test_the_command_takes_a_folder_of_pictures(brand, tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(file_of(1).read())
    table = tmp_path / "missed.csv"
    table.write_text(HEAD + "a.jpg,,stripes,smear,audit,2026-02-01,,\n")
    call_command("import_missed", str(table), pictures=tmp_path)
    assert "business" in capsys.readouterr().out
    with pytest.raises(CommandError, match="already") as refused:
        call_command("import_missed", str(table), pictures=tmp_path)
    assert refused.value.returncode == 2


def test_the_page_enters_one_and_keeps_what_was_typed_when_it_does_not_fit(
    brand, operator, django_assert_max_num_queries
):
    client = Client()
    client.force_login(operator)
    said = {
        "brand": "stripes", "risk": "smear", "channel": "complaint", "found_on": "2026-02-01",
        "has_logo": "1", "note": "as the owner wrote",
    }  # fmt: skip
    page = client.post("/missed/enter/", said)
    assert page.status_code == 400
    assert "neither an image nor a product" in page.content.decode()
    assert "as the owner wrote" in page.content.decode()
    page = client.post("/missed/enter/", said | {"picture": file_of(1)}, follow=True)
    assert page.status_code == 200 and "Stripes" in page.content.decode()
    assert MissedRisk.objects.get().has_logo is True
    with django_assert_max_num_queries(15):
        assert client.get("/missed/?split=business&brand=stripes").context["listing"].total == 1
    assert client.get("/missed/?split=train").context["listing"].total == 0


def test_the_page_says_plainly_that_a_training_image_stays(brand, operator, tmp_path):
    ingested(tmp_path, 1, "train")
    client = Client()
    client.force_login(operator)
    said = {"brand": "stripes", "risk": "smear", "channel": "audit", "found_on": "2026-02-01"}
    page = client.post("/missed/enter/", said | {"picture": file_of(1)}, follow=True)
    assert "is training material already and stays that for life" in page.content.decode()


def test_the_page_takes_a_table_and_names_its_bad_rows(brand, operator):
    client = Client()
    client.force_login(operator)
    good = HEAD + "a.jpg,,stripes,smear,audit,2026-02-01,,\n"
    bad = good + "a.jpg,,nobody,smear,audit,2026-02-01,,\n"

    def post(text):
        table = SimpleUploadedFile("m.csv", text.encode(), "text/csv")
        sent = {"table": table, "pictures": [file_of(1, "a.jpg")]}
        return client.post("/missed/import/", sent, follow=True)

    page = post(bad)
    assert page.status_code == 400 and "row 2" in page.content.decode()
    assert not MissedRisk.objects.exists()
    assert post(good).status_code == 200
    assert MissedRisk.objects.count() == 1


def test_the_api_enters_and_lists_for_its_roles(brand, operator):
    client = Client()
    client.force_login(operator)
    said = {"brand": "stripes", "risk": "smear", "channel": "audit", "found_on": "2026-02-01"}
    answer = client.post("/api/missed-risks/", said | {"picture": file_of(1)})
    assert answer.status_code == 201, answer.content
    assert answer.json()["split"] == "business" and answer.json()["stays"] == ""
    known = ImageFactory()
    answer = client.post(
        "/api/missed-risks/", said | {"image": known.sha256}, content_type="application/json"
    )
    assert answer.status_code == 201 and "training material" in answer.json()["stays"]
    for wrong in ({"risk": "theft"}, {"image": "0" * 64}, {"found_on": "2999-01-01"}, {}):
        again = said | {"image": known.sha256} | wrong
        assert client.post("/api/missed-risks/", again).status_code == 400, wrong
    assert client.get("/api/missed-risks/?channel=audit").json()["count"] == 2
    engineer = User.objects.create_user("engineer")
    engineer.groups.add(Group.objects.get(name="ml_engineer"))
    client.force_login(engineer)
    assert client.get("/api/missed-risks/").status_code == 200
    assert client.post("/api/missed-risks/", said).status_code == 403
