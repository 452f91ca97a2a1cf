"""Pictures that people send: what is taken, what is refused, and that a refusal keeps nothing."""

import io

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Picture

from annotation import uploads
from annotation.uploads import UploadError, store_picture


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


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), **options) -> bytes:
    out = io.BytesIO()
    levels = np.random.default_rng(1).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    Picture.fromarray(levels).save(out, kind, **options)
    return out.getvalue()


def store(data: bytes, name: str = "x.png"):
    return store_picture(upload=SimpleUploadedFile(name, data), folder="guidelines")


def kept(folder) -> list:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("kind", "extension"),
    [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "bmp")],
)
def test_a_picture_is_kept_by_what_it_holds_whatever_it_is_called(kind, extension, own_storage):
    stored = store(picture(kind), "<script>alert(1)</script>.exe")
    assert stored.file.startswith("guidelines/") and stored.file.endswith(f".{extension}")
    assert (stored.width, stored.height) == (40, 30)
    assert default_storage.open(stored.file).read() == picture(kind)
    assert store(picture(kind), "other.png") == stored
    assert len(kept(own_storage)) == 1


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says it has so many pixels."""
    out = io.BytesIO()
    Picture.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>1</script></svg>"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"),
        (SVG, "not an image"),
        (b"<?xml version='1.0'?>" + SVG, "not an image"),
        (b"<html><script>alert(1)</script>", "not an image"),
        (b"GIF89a<script>alert(1)</script>", "damaged|not an image"),
        (picture()[:-60], "damaged"),
        (picture("JPEG", (400, 300))[:2000], "damaged"),
        (picture("TIFF"), "TIFF images are not supported"),
        (picture("PDF"), "not an image|not supported"),
    ],
)
def test_what_is_no_plain_picture_is_refused_in_one_line(data, said, own_storage):
    with pytest.raises(UploadError, match=rf"^x\.png: .*({said})") as refused:
        store(data)
    assert "\n" not in str(refused.value)
    assert not kept(own_storage)


def test_a_hundred_megapixels_are_refused_before_they_are_decoded(own_storage):
    with pytest.raises(UploadError, match="10000 x 10000 pixels; at most"):
        store(bomb(10_000, 10_000))
    assert not kept(own_storage)


def test_too_many_bytes_are_refused_unread(monkeypatch, own_storage):
    monkeypatch.setattr(uploads, "LARGEST", 1_000_000)
    with pytest.raises(UploadError, match="larger than 1 MB"):
        store(b"\0" * 1_000_001)
    assert not kept(own_storage)


def test_a_name_with_line_breaks_stays_one_line():
    upload = ContentFile(SVG)
    upload.name = "a\n\x00b" + "c" * 200
    with pytest.raises(UploadError) as refused:
        store_picture(upload=upload, folder="guidelines")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 120


def test_a_photo_held_on_its_side_is_turned_for_good():
    exif = Picture.Exif()
    exif[0x0112] = 6
    stored = store(picture("JPEG", (40, 30), exif=exif), "phone.jpg")
    assert (stored.width, stored.height) == (30, 40)
    with default_storage.open(stored.file) as file, Picture.open(file) as opened:
        assert opened.size == (30, 40)
        assert opened.getexif().get(0x0112, 1) == 1
