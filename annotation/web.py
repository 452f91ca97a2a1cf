"""Requests to addresses that people gave us, which may come to point into our own network.

A name is looked up once, every address it has must be public unless the caller allows others, and
the connection goes to the very address that was checked.
"""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
REDIRECTS = 5
# Ways of writing an IPv4 address, which a gateway would unwrap into one of our own.
WRAPPED = [IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16"), IPv6Network("2001::/32")]


class WebError(Exception):
    """What was asked for did not come. `retry`: whether the same may succeed later."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


class PrivateAddress(WebError):
    """The name is, or has among its addresses, one that is not public."""

    def __init__(self, host: str, address: IPv4Address | IPv6Address) -> None:
        super().__init__(f"{host} is {address}, which is not a public address", retry=False)


@contextmanager
def answer(
    method: str,
    url: httpx.URL,
    *,
    headers: Mapping[str, str],
    timeout: httpx.Timeout,
    private: bool,
    content: bytes | None = None,
) -> Iterator[httpx.Response]:
    """The answer to one request, its body not yet read. Redirects are not followed.

    Args:
        private: the address may lie in our own network.

    Raises:
        WebError: there was none.
    """
    addresses = checked_addresses(url, private=private)
    named = {**headers, "Host": url.netloc.decode()}
    with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client:
        for address in addresses:
            request = client.build_request(
                method,
                url.copy_with(host=str(address)),
                content=content,
                headers=named,
                extensions={"sni_hostname": url.host},  # what the certificate must be for
            )
            try:
                response = client.send(request, stream=True)
            except httpx.ConnectError as error:
                if address != addresses[-1]:
                    continue
                raise _unanswered(error) from error
            except httpx.HTTPError as error:
                raise _unanswered(error) from error
            break
        try:
            yield response
        finally:
            response.close()


def fetch(
    url: str,
    *,
    most: int,
    seconds: float,
    private: bool,
    headers: Mapping[str, str] | None = None,
    secret: Mapping[str, str] | None = None,
) -> bytes:
    """The body of what lies at an address, redirects followed, each checked as the first was.

    Args:
        most: bytes; of more nothing is given.
        seconds: for all of it.
        private: addresses may lie in our own network.
        secret: headers for the host of `url` alone, wherever it redirects to.

    Raises:
        WebError: it did not come, whole and in time.
    """
    end = time.monotonic() + seconds
    here = first = parsed(url)
    for _ in range(REDIRECTS + 1):
        # Packed bodies would have to be unpacked before their size is known.
        sent = {"User-Agent": "Touchstone", "Accept-Encoding": "identity", **(headers or {})}
        if secret and _origin(here) == _origin(first):
            sent |= secret
        with answer("GET", here, headers=sent, timeout=TIMEOUT, private=private) as response:
            if not response.has_redirect_location:
                return _body(response, most=most, end=end)
            here = parsed(response.headers["Location"], base=here)
        if time.monotonic() > end:
            raise WebError("not there in time", retry=True)
    raise WebError(f"redirected more than {REDIRECTS} times", retry=False)


def parsed(url: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """An http or https address, without a name and password in it.

    Raises:
        WebError: it is none.
    """
    try:
        address = base.join(url) if base is not None else httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise WebError(f"not an address: {error}", retry=False) from error
    if address.scheme not in ("http", "https") or not address.host:
        raise WebError("not an http:// or https:// address", retry=False)
    if address.userinfo:
        raise WebError("an address with a password in it", retry=False)
    return address


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _body(response: httpx.Response, *, most: int, end: float) -> bytes:
    status = response.status_code
    if status != 200:
        raise WebError(f"answered {status}", retry=status >= 500 or status in (408, 425, 429))
    parts, size = [], 0
    try:
        for part in response.iter_raw():
            size += len(part)
            if size > most:
                raise WebError(f"more than {most:,} bytes", retry=False)
            if time.monotonic() > end:
                raise WebError("not there in time", retry=True)
            parts.append(part)
    except httpx.HTTPError as error:
        raise _unanswered(error) from error
    return b"".join(parts)


def _unanswered(error: httpx.HTTPError) -> WebError:
    return WebError(f"no answer: {error or type(error).__name__}", retry=True)


def checked_addresses(url: httpx.URL, *, private: bool) -> list[IPv4Address | IPv6Address]:
    """The addresses to connect to, the first that answers.

    Raises:
        WebError: the name has no address.
        PrivateAddress: it has one that is not public, and these are not allowed.
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebError(f"{url.host} has no address: {error}", retry=True) from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not private:
        for address in addresses:
            if not is_public(address):
                raise PrivateAddress(url.host, address)
    return list(dict.fromkeys(addresses))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the internet's, and of one machine."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in WRAPPED):
            return False
    return address.is_global and not address.is_multicast
