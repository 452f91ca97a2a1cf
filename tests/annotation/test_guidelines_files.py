"""A guideline as one file: out, in again, and whatever else somebody may send."""

import hashlib
import io
import json
import struct
import zipfile

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image as Picture

from annotation import guideline_files
from annotation.guideline_content import ExampleDraft, FeatureDraft, content_of
from annotation.guideline_files import GuidelineFileError, export_guideline, import_guideline
from annotation.guidelines import GuidelineError, begin_draft, draft_guideline
from annotation.models import GuidelineVersion
from tests.factories import BrandFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        },
    }
    return tmp_path / "media"


@pytest.fixture
def editor(django_user_model):
    return django_user_model.objects.create_user("ed")


@pytest.fixture
def brand():
    return BrandFactory(key="peak")


def png(colour: str = "tan") -> bytes:
    out = io.BytesIO()
    Picture.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()


NAME = f"pictures/{hashlib.sha256(png()).hexdigest()}.png"
REGION = {"x1": 1, "y1": 2, "x2": 30, "y2": 20}


def document(**changes) -> dict:
    example = {"file": NAME, "regions": [REGION]}
    feature = {"kind": "logo", "text": "three stripes", "registered": True, "examples": [example]}
    said = {"format": guideline_files.FORMAT, "rules": "Look.", "features": [feature]}
    return said | changes


def packed(*entries: tuple[str, bytes], said: dict | None = None) -> ContentFile:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("guideline.json", json.dumps(document() if said is None else said))
        for name, data in entries or [(NAME, png())]:
            archive.writestr(name, data)
    return ContentFile(out.getvalue(), name="guideline.zip")


def test_what_goes_out_comes_in_the_same_elsewhere(brand, editor):
    examples = [
        ExampleDraft(
            default_storage.save(f"images/{colour}.png", ContentFile(png(colour))),
            40,
            30,
            [REGION],
        )
        for colour in ("red", "navy")
    ]
    version = draft_guideline(
        brand=brand,
        rules="看**鞋舌**",
        not_violations="plain stripes",
        least_logo=12,
        change_note="first",
        features=[FeatureDraft("logo", "三条纹", True, examples)],
    )
    data = export_guideline(version=version)
    came = import_guideline(brand=BrandFactory(), upload=ContentFile(data, name="x"), by=editor)
    assert (came.state, came.number, came.created_by) == ("draft", 1, editor)
    out, back = content_of(version), content_of(came)
    assert (back.rules, back.not_violations, back.least_logo) == ("看**鞋舌**", "plain stripes", 12)
    assert back.features[0].text == "三条纹"
    for sent, arrived in zip(out.features[0].examples, back.features[0].examples, strict=True):
        assert arrived.regions == sent.regions
        assert default_storage.open(arrived.file).read() == default_storage.open(sent.file).read()
    assert export_guideline(version=came)[:2] == b"PK"


def test_a_picture_that_is_gone_stops_the_export_in_words(brand):
    example = ExampleDraft("images/gone.png", 40, 30, [])
    version = draft_guideline(
        brand=brand, rules="", features=[FeatureDraft("logo", "", False, [example])]
    )
    with pytest.raises(GuidelineFileError, match=r"images/gone\.png is missing"):
        export_guideline(version=version)


def symlink() -> ContentFile:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("guideline.json", json.dumps(document()))
        link = zipfile.ZipInfo(NAME)
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return ContentFile(out.getvalue(), name="x.zip")


def locked() -> ContentFile:
    """The same with the flag that says it needs a password."""
    data = bytearray(packed().read())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            struct.pack_into("<H", data, at + offset, 1)
    return ContentFile(bytes(data), name="x.zip")


def damaged() -> ContentFile:
    data = bytearray(packed().read())
    at = data.find(b"Look.")
    data[at : at + 4] = b"Xook"
    return ContentFile(bytes(data), name="x.zip")


def twice() -> ContentFile:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return packed((NAME, png()), (NAME, png("red")))


def feature(**changes) -> dict:
    return document(features=[document()["features"][0] | changes])


REFUSED = {
    "no zip": (lambda: ContentFile(b"hello", name="x"), "not a readable zip"),
    "cut short": (lambda: ContentFile(packed().read()[:-40], name="x"), "not a readable zip"),
    "damaged inside": (damaged, "not a readable zip"),
    "locked": (locked, "not a readable zip"),
    "a way up": (lambda: packed(("../../etc/cron.d/x", b"x")), "does not belong"),
    "an absolute path": (lambda: packed(("/etc/x", b"x")), "does not belong"),
    "a way up in pictures": (lambda: packed(("pictures/../x.png", png())), "does not belong"),
    "a backslash": (lambda: packed(("pictures\\..\\x.png", png())), "does not belong"),
    "a script": (lambda: packed(("pictures/x.js", b"x")), "does not belong"),
    "an svg": (lambda: packed((NAME.replace("png", "svg"), b"<svg/>")), "does not belong"),
    "a folder": (lambda: packed(("pictures/", b"")), "does not belong"),
    "a link": (symlink, "not an image"),
    "one name twice": (twice, "have one name"),
    "no document": (lambda: ContentFile(zip_of((NAME, png())), name="x"), "no guideline.json"),
    "no json": (lambda: ContentFile(zip_of(("guideline.json", b"{")), name="x"), "not JSON"),
    "deep json": (
        lambda: ContentFile(zip_of(("guideline.json", b"[" * 200_000)), name="x"),
        "not JSON",
    ),
    "another format": (lambda: packed(said=document(format="x")), "not of the format"),
    "a list": (lambda: packed(said=[1]), "not of the format"),
    "not a picture": (lambda: packed((NAME, b"<svg/>")), "not an image"),
    "a picture missing": (
        lambda: packed(said=feature(examples=[{"file": "pictures/none.png"}])),
        "no picture “pictures/none.png”",
    ),
    "a picture of the storage": (
        lambda: packed(said=feature(examples=[{"file": "images/secret.png"}])),
        "no picture",
    ),
    "an unknown kind": (lambda: packed(said=feature(kind="smell")), "no kind is called"),
    "a wrong type": (lambda: packed(said=document(rules=["x"])), "rules: not a text"),
    "a region outside": (
        lambda: packed(said=feature(examples=[{"file": NAME, "regions": [REGION | {"x2": 99}]}])),
        "leaves its picture of 40 × 30",
    ),
}


def zip_of(*entries: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_as_it_should_be_is_refused_and_nothing_is_written(
    case, brand, editor, own_storage
):
    make, said = REFUSED[case]
    with pytest.raises(GuidelineFileError, match=said) as refused:
        import_guideline(brand=brand, upload=make(), by=editor)
    assert "\n" not in str(refused.value)
    assert not GuidelineVersion.objects.exists()
    assert not [path for path in own_storage.rglob("*") if path.is_file()]


def test_sizes_are_limited_whatever_the_archive_says(brand, editor, monkeypatch, own_storage):
    monkeypatch.setattr(guideline_files, "LARGEST_CONTENT", 100_000)
    bomb = zip_of(("guideline.json", b" " * 2_000_000))
    with pytest.raises(GuidelineFileError, match="unpacks to too much"):
        import_guideline(brand=brand, upload=ContentFile(bomb, name="x"), by=editor)
    monkeypatch.setattr(guideline_files, "LARGEST_UNPACKED", 10)
    with pytest.raises(GuidelineFileError, match="unpacks to too much"):
        import_guideline(brand=brand, upload=packed(), by=editor)
    monkeypatch.setattr(guideline_files, "LARGEST_FILE", 10)
    with pytest.raises(GuidelineFileError, match="larger than"):
        import_guideline(brand=brand, upload=packed(), by=editor)
    monkeypatch.setattr(guideline_files, "LARGEST_FILE", 10**8)
    monkeypatch.setattr(guideline_files, "MOST_ENTRIES", 1)
    with pytest.raises(GuidelineFileError, match="more than 1 files"):
        import_guideline(brand=brand, upload=packed(), by=editor)
    assert not GuidelineVersion.objects.exists()
    assert not own_storage.exists()


def test_an_open_draft_is_not_pushed_aside(brand, editor, own_storage):
    begun = begin_draft(brand=brand, by=editor)
    with pytest.raises(GuidelineError, match="not published yet"):
        import_guideline(brand=brand, upload=packed(), by=editor)
    assert list(brand.guidelines.all()) == [begun]
    assert not own_storage.exists()
