"""One signed POST to the operator's address: one wrapper, one error type.

The address is the operator's, yet a name may come to point into our own network: `annotation.web`
connects to public addresses alone unless ALERT_WEBHOOK_PRIVATE says otherwise. Redirects are not
followed.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
from django.conf import settings

from annotation import web

TIMEOUT = web.TIMEOUT
SIGNATURE = "X-Touchstone-Signature"
DELIVERY = "X-Touchstone-Delivery"


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
    body = json.dumps(payload, ensure_ascii=False, sort_keys=True).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Touchstone",
        DELIVERY: str(delivery),
        SIGNATURE: signature(body, at=int(time.time())),
    }
    try:
        # Only the status is read: what else the other side says may be endless.
        with web.answer(
            "POST",
            httpx.URL(settings.ALERT_WEBHOOK_URL),
            headers=headers,
            content=body,
            timeout=TIMEOUT,
            private=settings.ALERT_WEBHOOK_PRIVATE,
        ) as response:
            status = response.status_code
    except web.PrivateAddress as error:
        message = f"{error}; ALERT_WEBHOOK_PRIVATE would allow it"
        raise WebhookError(message, retry=False) from error
    except web.WebError as error:
        raise WebhookError(str(error), retry=error.retry) from error
    if not 200 <= status < 300:
        raise WebhookError(f"answered {status}", retry=status >= 500 or status in (408, 425, 429))


def signature(body: bytes, *, at: int) -> str:
    """`t=SECONDS,v1=HEX`; the time is signed too, so that an old message cannot be sent again."""
    key = settings.ALERT_WEBHOOK_SECRET.encode()
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"
