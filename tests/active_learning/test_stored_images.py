"""Models read files: of images in a bucket, copies that are made once."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from active_learning import datasets, explanations
from active_learning.explanations import request_explanations
from active_learning.stored_images import bring, image_path
from ml.errors import InputError
from ml.images import image_paths
from ml.manifest import Manifest
from tests.active_learning.factories import ModelVersionFactory
from tests.factories import ImageFactory

BUCKET = "pictures"


class Bucket(BaseHTTPRequestHandler):
    """So much of S3 as reading takes; what it was asked for."""

    files: dict[str, bytes] = {}
    asked: list[str] = []

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self.asked.append(self.path)
        self._answer()

    def _answer(self):
        content = self.files.get(self.path.split("?")[0].removeprefix(f"/{BUCKET}/"))
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command == "GET" and content is not None:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def bucket(settings, tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(Bucket, "files", {})
    monkeypatch.setattr(Bucket, "asked", [])
    settings.DATA_DIR = tmp_path
    options = {
        "bucket_name": BUCKET,
        "endpoint_url": f"http://127.0.0.1:{server.server_address[1]}",
        "access_key": "key", "secret_key": "secret", "region_name": "here",
    }  # fmt: skip
    storage = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": storage}
    yield Bucket
    server.shutdown()
    server.server_close()


def paths(manifest: Manifest) -> list[Path]:
    return image_paths(manifest, manifest.table["image"].to_pylist())


@pytest.mark.django_db
def test_a_manifest_of_images_in_a_bucket_names_copies_that_are_made_once(bucket):
    images = ImageFactory.create_batch(30, split="pool")
    bucket.files |= {image.file: image.sha256.encode() for image in images}
    found = paths(datasets.pool_manifest())
    assert {path.read_text() for path in found} == {image.sha256 for image in images}
    assert len(bucket.asked) == 30
    found[0].unlink()
    assert paths(datasets.pool_manifest()) == found
    assert len(bucket.asked) == 31


@pytest.mark.django_db
def test_an_image_that_the_bucket_has_lost_is_named(bucket):
    image = ImageFactory(split="pool")
    with pytest.raises(InputError, match=f"{image.file}: not in the bucket"):
        datasets.pool_manifest()


@pytest.mark.django_db
def test_a_job_on_an_image_that_the_bucket_has_lost_fails_and_says_so(bucket):
    image = ImageFactory(split="pool")
    (asked,) = request_explanations(versions=[ModelVersionFactory()], image=image, label="acme")
    assert explanations.run(explanation_id=asked.pk) == "failed"
    asked.refresh_from_db()
    assert asked.error == f"{image.file}: not in the bucket"


def test_images_in_a_folder_are_read_where_they_are(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    file = default_storage.save("images/one.jpg", ContentFile(b"picture"))
    bring(files=[file, "images/that-is-not-there.jpg"])
    assert Path(image_path(file=file)).read_bytes() == b"picture"
    assert not list(tmp_path.rglob("*.jpg"))
