"""Exports of datasets: made by a job, handed out, deleted."""

import json
import zipfile
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from PIL import Image as Picture

from active_learning import datasets, exports, jobs, supervision
from active_learning.exports import ExportError
from active_learning.models import DatasetExport
from annotation.labels import Content, record_label
from annotation.models import AuditEntry
from tests.active_learning.factories import DatasetExportFactory
from tests.factories import BrandFactory, ImageFactory

pytestmark = pytest.mark.django_db

BOX = {"x1": 1.0, "y1": 2.0, "x2": 30.0, "y2": 40.0, "brand": "acme"}


@pytest.fixture(autouse=True)
def home(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(supervision, "POLL_SECONDS", 0.05)


@pytest.fixture
def mia(db):
    return User.objects.create_user("mia")


@pytest.fixture
def dataset(db):
    """Two images with files: one boxed, one whose boxes nobody looked for."""
    acme = BrandFactory(key="acme")
    for boxes in ([BOX], None):
        image = ImageFactory(split="train", weak_answer="brand", weak_brand=acme)
        path = Path(default_storage.path(image.file))
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("RGB", (96, 96), "red").save(path)
        if boxes is not None:
            said = Content(boxes=boxes)
            record_label(image=image, kind="boxes", content=said, source="import")
    return datasets.freeze_dataset()


def test_an_export_is_a_zip_of_the_dataset_in_the_format_asked_for(dataset, mia):
    export = exports.request_export(dataset=dataset, to="coco", by=mia)
    assert exports.run(export_id=export.pk) == "succeeded"
    export.refresh_from_db()
    path = exports.file_of(export)
    assert (export.size, export.progress) == (path.stat().st_size, 1.0)
    assert export.metrics["images"] == 1
    with zipfile.ZipFile(path) as archive:
        (table,) = [name for name in archive.namelist() if name.endswith(".json")]
        told = json.loads(archive.read(table))
        names = archive.namelist()
    assert [row["name"] for row in told["categories"]] == ["acme"]
    assert f"train/{told['images'][0]['file_name']}" in names
    assert sorted(one.name for one in path.parent.iterdir()) == [
        path.name, "log.txt", "progress.jsonl",
    ]  # fmt: skip


def test_the_same_export_is_made_once_and_again_after_it_failed(dataset, mia):
    first = exports.request_export(dataset=dataset, to="yolo", by=mia)
    assert exports.request_export(dataset=dataset, to="yolo", by=mia) == first
    assert exports.request_export(dataset=dataset, to="voc", by=mia) != first
    DatasetExport.objects.filter(pk=first.pk).update(state="failed")
    assert exports.request_export(dataset=dataset, to="yolo", by=mia) != first
    told = AuditEntry.objects.filter(action="export_dataset")
    assert [(entry.by, entry.after["format"]) for entry in told.order_by("pk")] == [
        (mia, "yolo"), (mia, "voc"), (mia, "yolo"),
    ]  # fmt: skip


def test_an_attempt_that_was_lost_is_made_again_over_what_it_left(dataset, mia):
    export = exports.request_export(dataset=dataset, to="csv", by=mia)
    path = exports.file_of(export)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    assert exports.run(export_id=export.pk) == "succeeded"
    assert zipfile.is_zipfile(path)


def test_a_dataset_without_boxes_says_why_it_is_no_detection_dataset(dataset, mia):
    Path(dataset.path).unlink()
    export = exports.request_export(dataset=dataset, to="coco", by=mia)
    assert exports.run(export_id=export.pk) == "failed"
    export.refresh_from_db()
    assert "no such manifest" in export.error


def test_there_is_no_other_format(dataset, mia):
    with pytest.raises(ExportError):
        exports.request_export(dataset=dataset, to="pdf", by=mia)


def test_deleting_takes_the_file_along_and_waits_for_the_end(dataset, mia):
    export = exports.request_export(dataset=dataset, to="csv", by=mia)
    with pytest.raises(ExportError):
        exports.delete_export(export=export, by=mia)
    exports.run(export_id=export.pk)
    exports.delete_export(export=export, by=mia)
    assert not DatasetExport.objects.exists()
    assert not Path(export.output).exists()
    assert AuditEntry.objects.get(action="delete_export").before == {"format": "csv"}


def test_a_sweep_hands_out_an_export_that_no_message_told_of():
    export = DatasetExportFactory()
    assert list(jobs.waiting_jobs()) == [export]
