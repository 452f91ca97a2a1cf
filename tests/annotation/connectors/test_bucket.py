"""A prefix of the platform's own storage, and of an S3 bucket (boto3 against a server that answers
as S3 does)."""

import builtins

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from annotation.connectors import open_connector
from annotation.ingest.decode import Refusal
from ml.errors import InputError
from tests.annotation.ingest.conftest import own_storage  # noqa: F401 - a fixture
from tests.web_server import Page, serve

LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>shop</Name>
<Prefix>new/</Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>
<Contents><Key>new/1.jpg</Key><Size>3</Size></Contents>
<Contents><Key>new/2.jpg</Key><Size>3</Size></Contents></ListBucketResult>"""


def test_a_prefix_of_our_own_storage_is_read_with_all_below_it():
    for name in ("new/1.jpg", "new/deep/2.jpg", "new/.hidden", "other/3.jpg"):
        default_storage.save(name, ContentFile(name.encode()))
    entries = list(open_connector("s3", {"prefix": "new"}))
    assert [entry.row.name for entry in entries] == ["new/1.jpg", "new/deep/2.jpg"]
    assert entries[1].fetch() == b"new/deep/2.jpg"
    default_storage.delete("new/1.jpg")
    with pytest.raises(Refusal, match="cannot be read"):
        entries[0].fetch()


def test_a_prefix_that_leads_out_of_the_storage_is_refused():
    with pytest.raises(InputError, match="cannot be listed"):
        list(open_connector("s3", {"prefix": "../../etc"}))


@pytest.fixture
def s3(settings, monkeypatch):
    monkeypatch.setenv("SOURCE_SECRET_S3", "key:word")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with serve() as running:
        settings.S3_ENDPOINT_URL = running.url("")
        yield running


def test_a_bucket_is_listed_and_read(s3):
    told = {"bucket": "shop", "prefix": "new", "secret": "SOURCE_SECRET_S3"}
    with pytest.raises(InputError, match="404"):
        list(open_connector("s3", told))
    asked = s3.requests[-1][0]
    assert asked.startswith("/shop?")
    s3.pages[asked] = Page(LISTING.encode(), headers={"Content-Type": "application/xml"})
    entries = list(open_connector("s3", told))
    assert [entry.row.name for entry in entries] == ["new/1.jpg", "new/2.jpg"]
    s3.pages["/shop/new/1.jpg"] = Page(b"abc", headers={"Content-Length": "3"})
    assert entries[0].fetch() == b"abc"
    with pytest.raises(Refusal, match="cannot be read"):
        entries[1].fetch()


def test_a_secret_of_another_form_is_refused(s3, monkeypatch):
    monkeypatch.setenv("SOURCE_SECRET_S3", "word")
    with pytest.raises(InputError, match="ACCESS_KEY:SECRET_KEY"):
        open_connector("s3", {"bucket": "shop", "secret": "SOURCE_SECRET_S3"})


def test_without_the_library_the_refusal_says_what_is_missing(monkeypatch):
    load = builtins.__import__

    def without(name, *args, **options):
        if name.startswith("storages"):
            raise ImportError(name)
        return load(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"needs django-storages\[s3\]"):
        open_connector("s3", {"bucket": "shop"})
