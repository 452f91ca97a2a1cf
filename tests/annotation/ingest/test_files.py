"""What happens to files: taken by content, kept once, or set aside with a reason."""

import hashlib
import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from PIL import Image as Picture

from annotation.ingest import workers as workers_module
from annotation.ingest.decode import MAX_PIXELS, Refusal
from annotation.ingest.workers import Workers
from annotation.models import Image, ImageGroup, IngestBatch
from tests.annotation.ingest.conftest import picture, write_table

pytestmark = pytest.mark.django_db


def bomb() -> bytes:
    """A PNG of some hundred bytes that announces 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 10_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def encoded(image, format: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def test_a_file_is_kept_under_the_hash_of_its_content(folder, ingest):
    data = encoded(picture(1, (120, 80)), "JPEG")
    (folder / "a.jpg").write_bytes(data)
    report = ingest()
    image = Image.objects.get()
    assert (report.added, report.set_aside) == (1, [])
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert image.file == f"images/{image.sha256[:2]}/{image.sha256}.jpg"
    assert default_storage.open(image.file).read() == data
    assert (image.width, image.height, image.split, len(image.phash)) == (120, 80, "pool", 32)


def test_bad_files_are_set_aside_with_a_reason_and_stop_nobody(folder, ingest):
    whole = encoded(picture(1), "JPEG", quality=95)
    bad = {
        "bomb.png": (bomb(), "at most"),
        "empty.jpg": (b"", "empty file"),
        "photo.tiff": (encoded(picture(2), "TIFF"), "TIFF images are not supported"),
        "text.jpg": (b"<html>not found</html>", "not an image"),
        "truncated.jpg": (whole[: len(whole) // 2], "damaged"),
    }
    for name, (data, _) in bad.items():
        (folder / name).write_bytes(data)
    (folder / "good.jpg").write_bytes(whole)
    report = ingest()
    reasons = dict(report.set_aside)
    assert reasons.keys() == bad.keys()
    assert report.added == 1
    for name, (_, expected) in bad.items():
        assert expected in reasons[name]
    assert dict(IngestBatch.objects.get().set_aside.values_list("path", "reason")) == reasons


def test_the_pixel_limit_counts_before_anything_is_decoded(folder, ingest):
    side = int((MAX_PIXELS * 1.1) ** 0.5)
    Picture.new("1", (side, side)).save(folder / "large.png")
    [(name, reason)] = ingest().set_aside
    assert name == "large.png"
    assert f"{side} x {side}" in reason


def test_a_wrong_extension_is_put_right_by_the_content(folder, ingest):
    (folder / "really-a-png.jpg").write_bytes(encoded(picture(1), "PNG"))
    assert ingest().set_aside == []
    assert Image.objects.get().file.endswith(".png")


def test_a_file_named_twice_and_a_copy_of_it_are_one_image(folder, ingest):
    data = encoded(picture(1), "JPEG")
    (folder / "a.jpg").write_bytes(data)
    (folder / "copy.jpg").write_bytes(data)
    write_table(
        folder / "products.csv",
        [{"id": i, "file": f, "brand": ""} for i, f in enumerate(["a.jpg", "a.jpg", "copy.jpg"])],
    )
    report = ingest()
    assert (report.rows, report.added, report.known) == (3, 1, 2)


@pytest.mark.parametrize(
    "name", ["../outside.jpg", "/etc/hostname", "link.jpg", "sub/../../outside.jpg"]
)
def test_paths_that_lead_out_of_the_folder_are_refused(folder, ingest, name):
    picture(1).save(folder.parent / "outside.jpg")
    (folder / "link.jpg").symlink_to(folder.parent / "outside.jpg")
    write_table(folder / "products.csv", [{"id": 1, "file": name, "brand": ""}])
    assert ingest().set_aside == [(name, "leads out of the folder")]
    assert not Image.objects.exists()


def test_missing_files_pipes_and_names_no_database_can_keep(folder, ingest):
    os.mkfifo(folder / "pipe.jpg")
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"no image")
    (folder / "folder").mkdir()
    picture(1).save(folder / "folder" / "good.jpg")
    report = ingest()
    assert dict(report.set_aside) == {"pipe.jpg": "not a file", "?.jpg": "not an image"}
    write_table(
        folder / "products.csv",
        [{"id": 1, "file": "gone.jpg", "brand": ""}, {"id": 2, "file": "folder", "brand": ""}],
    )
    assert dict(ingest().set_aside) == {"gone.jpg": "file missing", "folder": "not a file"}


def test_size_and_hash_are_those_of_the_upright_picture(folder, ingest):
    upright = picture(1, (120, 80))
    upright.save(folder / "upright.png")
    exif = Picture.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    upright.transpose(Picture.Transpose.ROTATE_90).save(folder / "turned.png", exif=exif)
    ingest()
    turned, straight = Image.objects.order_by("file")[:2]
    assert (turned.width, turned.height) == (straight.width, straight.height) == (120, 80)
    assert turned.group == straight.group


def test_running_again_adds_nothing_and_keeps_one_batch(folder, ingest):
    for seed in range(3):
        picture(seed).save(folder / f"{seed}.jpg")
    (folder / "bad.jpg").write_bytes(b"bad")
    first, second = ingest(), ingest()
    assert (first.added, second.added, second.known) == (3, 0, 3)
    assert first.batch == second.batch
    assert second.set_aside == first.set_aside
    assert (Image.objects.count(), ImageGroup.objects.count()) == (3, 3)


def test_a_mended_file_is_taken_and_no_longer_listed(folder, ingest):
    (folder / "a.jpg").write_bytes(b"bad")
    ingest()
    picture(1).save(folder / "a.jpg")
    assert ingest().added == 1
    batch = IngestBatch.objects.get()
    assert batch.state == "done"
    assert not batch.set_aside.exists()


def test_a_part_of_a_file_left_by_a_kill_is_replaced(folder, ingest):
    data = encoded(picture(1), "JPEG")
    (folder / "a.jpg").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    with default_storage_file(f"images/{sha256[:2]}/{sha256}.jpg") as part:
        part.write(data[:100])
    ingest()
    assert default_storage.open(Image.objects.get().file).read() == data


def default_storage_file(name: str):
    path = Path(default_storage.path(name))
    path.parent.mkdir(parents=True)
    return path.open("wb")


def _crash_on_bad(path):
    if path.name == "bad":
        os._exit(11)
    return path.name


def test_a_file_that_kills_its_process_takes_no_other_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(workers_module, "CHUNK", 2)
    paths = [tmp_path / name for name in ("a", "bad", "b", "c")]
    with Workers(1) as workers:
        results = workers.start(_crash_on_bad, paths)()
        again = workers.start(_crash_on_bad, paths[2:])()
    assert [results[0], *results[2:]] == ["a", "b", "c"]
    assert isinstance(results[1], Refusal)
    assert again == ["b", "c"]
