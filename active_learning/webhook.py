"""One signed POST to the operator's address: one wrapper, one error type.

The address is the operator's, yet a name may come to point into our own network. So the name is
looked up once, every address it has must be public unless ALERT_WEBHOOK_PRIVATE says otherwise,
and the connection goes to the very address that was checked. Redirects are not followed.
"""

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpx
from django.conf import settings

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
SIGNATURE = "X-Touchstone-Signature"
DELIVERY = "X-Touchstone-Delivery"
# Ways of writing an IPv4 address, which a gateway would unwrap into one of our own.
WRAPPED = [IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16"), IPv6Network("2001::/32")]


class WebhookError(Exception):
    """A delivery that failed. `retry`: whether the same may succeed later."""

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


def post(*, payload: Mapping[str, Any], delivery: int) -> None:
    """Send `payload` as JSON to ALERT_WEBHOOK_URL.

    The headers: `X-Touchstone-Delivery`, the same in every attempt of one delivery, to know a
    repeated one by; `X-Touchstone-Signature: t=SECONDS,v1=HEX`, the HMAC-SHA256 of
    `SECONDS.BODY` under ALERT_WEBHOOK_SECRET.

    Raises:
        WebhookError: anything but a 2xx answer.
    """
    url = httpx.URL(settings.ALERT_WEBHOOK_URL)
    body = json.dumps(payload, ensure_ascii=False, sort_keys=True).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Touchstone",
        "Host": url.netloc.decode(),
        DELIVERY: str(delivery),
        SIGNATURE: signature(body, at=int(time.time())),
    }
    addresses = checked_addresses(url)
    with httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client:
        for address in addresses:
            request = client.build_request(
                "POST",
                url.copy_with(host=str(address)),
                content=body,
                headers=headers,
                extensions={"sni_hostname": url.host},  # what the certificate must be for
            )
            try:
                # Only the status is read: what else the other side says may be endless.
                response = client.send(request, stream=True)
                response.close()
            except httpx.ConnectError as error:
                if address != addresses[-1]:
                    continue
                raise _unanswered(error) from error
            except httpx.HTTPError as error:
                raise _unanswered(error) from error
            break
    status = response.status_code
    if not 200 <= status < 300:
        raise WebhookError(f"answered {status}", retry=status >= 500 or status in (408, 425, 429))


def _unanswered(error: httpx.HTTPError) -> WebhookError:
    return WebhookError(f"no answer: {error or type(error).__name__}", retry=True)


def signature(body: bytes, *, at: int) -> str:
    """`t=SECONDS,v1=HEX`; the time is signed too, so that an old message cannot be sent again."""
    key = settings.ALERT_WEBHOOK_SECRET.encode()
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


def checked_addresses(url: httpx.URL) -> list[IPv4Address | IPv6Address]:
    """The addresses to connect to, the first that answers.

    Raises:
        WebhookError: the name has no address, or one that is not public.
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise WebhookError(f"{url.host} has no address: {error}", retry=True) from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not settings.ALERT_WEBHOOK_PRIVATE:
        for address in addresses:
            if not is_public(address):
                raise WebhookError(
                    f"{url.host} is {address}, which is not a public address; "
                    "ALERT_WEBHOOK_PRIVATE would allow it",
                    retry=False,
                )
    return list(dict.fromkeys(addresses))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the internet's, and of one machine."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in WRAPPED):
            return False
    return address.is_global and not address.is_multicast
