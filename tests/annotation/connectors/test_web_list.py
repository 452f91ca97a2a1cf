"""Lists of addresses, from a real web server on the loopback."""

import io
import json

import pytest

from annotation.connectors import open_connector
from annotation.ingest.decode import Refusal
from ml.errors import InputError
from tests.annotation.ingest.conftest import picture
from tests.web_server import Page, serve


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    picture(seed).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def site(settings):
    settings.SOURCE_HTTP_PRIVATE = True
    with serve() as running:
        running.pages["/1.jpg"] = Page(jpeg(1))
        yield running


def read(site, text: str, **told):
    site.pages["/list"] = Page(text.encode())
    return list(open_connector("http", {"url": site.url("/list"), **told}))


def test_plain_text_has_an_address_a_line(site):
    first, second = read(site, f"{site.url('/1.jpg')}\n\n  2.jpg \r\n")
    assert first.row.name == site.url("/1.jpg")
    assert second.row.name == site.url("/2.jpg")  # beside the list
    assert first.fetch() == jpeg(1)
    with pytest.raises(Refusal, match="answered 404"):
        second.fetch()


def test_csv_says_more_of_each_picture(site):
    entry, nameless = read(site, 'url,title,brand\n1.jpg,"a shoe,\nred",Acme\n,none,\n')
    assert (entry.row.title, entry.row.brand) == ("a shoe,\nred", "Acme")
    assert nameless.reason == "no address given"


def test_json_lines_say_more_too_and_a_broken_line_loses_only_itself(site):
    line = {"url": "1.jpg", "title": "鞋", "price": 9.5, "product": 7, "tags": ["x"]}
    entry, broken, odd = read(site, json.dumps(line) + "\n{broken\n[1]\n")
    assert (entry.row.title, float(entry.row.price), entry.row.product) == ("鞋", 9.5, "7")
    assert "not JSON" in broken.reason
    assert odd.reason == "not a JSON object"


def test_an_address_that_is_none_is_named(site):
    refused, long = read(site, "ftp://a.example/1.jpg\n/" + "x" * 300)
    assert (refused.name, "not an http" in refused.reason) == ("ftp://a.example/1.jpg", True)
    assert len(long.row.product) == 64  # a key of its own, though its address is too long for one


def test_a_list_that_does_not_come_is_bad_input(site, settings):
    with pytest.raises(InputError, match="answered 404"):
        list(open_connector("http", {"url": site.url("/nothing")}))
    site.pages["/bytes"] = Page(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text in UTF-8"):
        list(open_connector("http", {"url": site.url("/bytes")}))
    settings.SOURCE_HTTP_PRIVATE = False
    with pytest.raises(InputError, match="not a public address"):
        list(open_connector("http", {"url": site.url("/1.jpg")}))


def test_the_secret_goes_to_the_lists_own_host_alone(site, monkeypatch):
    monkeypatch.setenv("SOURCE_SECRET_SHOP", "Bearer x")
    text = f"1.jpg\n{site.url('/1.jpg', 'localhost')}\n"
    for entry in read(site, text, secret="SOURCE_SECRET_SHOP"):
        entry.fetch()
    sent = [(path, headers.get("Authorization")) for path, headers in site.requests]
    assert sent == [("/list", "Bearer x"), ("/1.jpg", "Bearer x"), ("/1.jpg", None)]
