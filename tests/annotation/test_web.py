"""Fetching from addresses that people gave us: nothing inside our own network, nothing endless."""

import time
from ipaddress import ip_address

import pytest

from annotation import web
from tests.web_server import Page, serve


@pytest.fixture
def site():
    with serve() as running:
        yield running


def fetch(url: str, **options) -> bytes:
    return web.fetch(url, **{"most": 1000, "seconds": 5, "private": True} | options)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:4700::1111", True), ("192.168.1.1", False),
        ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("fe80::1", False), ("fd00::1", False), ("224.0.0.1", False), ("0.0.0.0", False),  # noqa: S104
        ("100.64.0.1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address, public):
    assert web.is_public(ip_address(address)) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.8"])
def test_private_addresses_are_refused_before_anything_is_sent(site, host):
    with pytest.raises(web.PrivateAddress, match="not a public address"):
        fetch(site.url("/", host), private=False)
    assert not site.requests


def test_a_redirect_into_our_network_is_refused_too(site, monkeypatch):
    monkeypatch.setattr(web, "is_public", lambda address: str(address) == "127.0.0.1")
    site.pages["/"] = Page(status=302, headers={"Location": site.url("/inside", "127.0.0.2")})
    with pytest.raises(web.PrivateAddress, match=r"127\.0\.0\.2"):
        fetch(site.url("/"), private=False)
    assert [path for path, _ in site.requests] == ["/"]


def test_the_connection_goes_to_the_address_that_was_checked(site, monkeypatch):
    """A name that answers otherwise the second time gains nothing."""
    look_up = web.socket.getaddrinfo
    asked = []

    def answer(host, *args, **options):
        asked.append(host)
        known = {"pictures.example": "127.0.0.1"} if len(asked) == 1 else {}
        return look_up(known.get(host, host), *args, **options)

    monkeypatch.setattr(web.socket, "getaddrinfo", answer)
    site.pages["/"] = Page(b"here")
    assert fetch(site.url("/", "pictures.example")) == b"here"
    assert site.requests[0][1]["Host"] == f"pictures.example:{site.port}"


def test_redirects_are_followed_a_few_times(site):
    site.pages["/a"] = Page(status=301, headers={"Location": "/b"})
    site.pages["/b"] = Page(b"found")
    site.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    assert fetch(site.url("/a")) == b"found"
    with pytest.raises(web.WebError, match="redirected more than 5 times"):
        fetch(site.url("/loop"))


def test_a_secret_does_not_follow_a_redirect_to_another_host(site):
    site.pages["/a"] = Page(status=302, headers={"Location": site.url("/b", "localhost")})
    site.pages["/b"] = Page(b"found")
    fetch(site.url("/a"), secret={"Authorization": "Bearer x"})
    sent = [headers.get("Authorization") for _, headers in site.requests]
    assert sent == ["Bearer x", None]


def test_what_is_too_large_is_not_read_to_its_end(site):
    site.pages["/"] = Page(b"x" * 2_000_000)
    with pytest.raises(web.WebError, match="more than 1,000 bytes"):
        fetch(site.url("/"))


def test_what_trickles_is_given_up_in_time(site):
    site.pages["/"] = Page(b"x" * 900, delay=0.1, piece=1)
    start = time.monotonic()
    with pytest.raises(web.WebError, match="not there in time") as refused:
        fetch(site.url("/"), seconds=0.5)
    assert time.monotonic() - start < 3
    assert refused.value.retry


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://a.example/x", "not an http"), ("file:///etc/passwd", "not an http"),
        ("http://user:word@a.example/", "password"), ("http://", "not an http"),
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url, why):
    with pytest.raises(web.WebError, match=why):
        fetch(url)


def test_an_error_of_the_other_side_is_told(site):
    with pytest.raises(web.WebError, match="answered 404") as refused:
        fetch(site.url("/nothing"))
    assert not refused.value.retry
