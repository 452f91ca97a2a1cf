"""Speaking to Label Studio as the person who asked, whose session there never leaves us."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache

from annotation.labelstudio.accounts import client_of, ensure_account
from annotation.labelstudio.client import LabelStudioError
from annotation.locks import advisory_lock
from annotation.models import LabelStudioAccount

logger = logging.getLogger(__name__)

SESSION_SECONDS = 12 * 3600
TIMEOUT = {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": 5.0}


@dataclass(frozen=True)
class Entry:
    """A session in Label Studio: whose, and by which cookies."""

    remote_id: int
    email: str
    sessionid: str
    csrftoken: str


# A transport and not a client: a client keeps the cookies that answers set, and would give one
# person's session to the next. Connections are not kept, for the reason given in `Client`.
_transport = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))


class Visitor:
    """A person's access to Label Studio."""

    def __init__(self, user: User) -> None:
        self.user = user

    @property
    def entry(self) -> Entry:
        """Their session there, opened when there is none. Raises LabelStudioError."""
        known = cache.get(_key(self.user.pk))
        return Entry(**known) if known else _enter(self.user, stale=None)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        before_repeat: Callable[[], None] | None = None,
    ) -> Any:
        """The JSON that Label Studio answers. Raises LabelStudioError for all but success."""
        response = self.open(method, path, query=query, body=body, before_repeat=before_repeat)
        try:
            content = response.read()
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        finally:
            response.close()
        if response.status_code >= 300:
            raise _refused(method, path, response)
        try:
            return json.loads(content) if content else None
        except ValueError as error:
            raise LabelStudioError(f"{path} answered with no JSON", retry=True) from error

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        before_repeat: Callable[[], None] | None = None,
    ) -> httpx.Response:
        """An answer whose content is still to be read; the caller closes it. A session that has
        run out is opened again; `before_repeat` may then object to the same request. A `body`
        that names the person is a function of the session it goes out with."""
        entry = self.entry
        response = _send(entry, method, path, query=query, body=body, headers=headers)
        if _is_expired(response):
            response.close()
            entry = _enter(self.user, stale=entry)
            if before_repeat is not None:
                before_repeat()
            response = _send(entry, method, path, query=query, body=body, headers=headers)
        return response


def open_entry(*, user: User) -> None:
    """Have a person's session ready before they come. Raises LabelStudioError."""
    _ = Visitor(user).entry


def forget(*, user: User) -> None:
    """Close the gateway to a person: their session in Label Studio is no longer known."""
    cache.delete(_key(user.pk))


def _key(user_id: int) -> str:
    return f"gateway:entry:{user_id}"


def _enter(user: User, *, stale: Entry | None) -> Entry:
    """Open a session, once for all the requests a page sends at the same time."""
    with advisory_lock(f"gateway:entry:{user.pk}", wait=True):
        known = cache.get(_key(user.pk))
        if known and known != (asdict(stale) if stale else None):
            return Entry(**known)
        account, cookies = _log_in(user)
        entry = Entry(
            remote_id=account.remote_id or 0,
            email=account.email,
            sessionid=cookies["sessionid"],
            csrftoken=cookies["csrftoken"],
        )
        cache.set(_key(user.pk), asdict(entry), SESSION_SECONDS)
        return entry


def _log_in(user: User) -> tuple[LabelStudioAccount, dict[str, str]]:
    account = LabelStudioAccount.objects.filter(user=user, remote_id__isnull=False).first()
    if account is not None:
        try:
            return account, _cookies_of(account)
        except LabelStudioError as error:
            if error.status != 401:
                raise
    account = ensure_account(user=user)  # Label Studio does not know them, or not any more
    return account, _cookies_of(account)


def _cookies_of(account: LabelStudioAccount) -> dict[str, str]:
    with client_of(account=account) as client:
        return client.cookies()


def _send(
    entry: Entry,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None,
    body: Any,
    headers: Mapping[str, str] | None,
) -> httpx.Response:
    body = body(entry) if callable(body) else body
    content = b"" if body is None else json.dumps(body).encode()
    request = httpx.Request(
        method,
        f"{settings.LABEL_STUDIO_URL}{path}" + (f"?{urlencode(query)}" if query else ""),
        headers={
            **(headers or {}),
            **({"Content-Type": "application/json"} if body is not None else {}),
            "Cookie": f"sessionid={entry.sessionid}; csrftoken={entry.csrftoken}",
            "X-CSRFToken": entry.csrftoken,
            "Referer": settings.LABEL_STUDIO_URL,
            "Connection": "close",
        },
        content=content,
        extensions={"timeout": TIMEOUT},
    )
    try:
        response = _transport.handle_request(request)
    except httpx.TransportError as error:
        raise _unreachable(error) from error
    response.request = request
    return response


def _is_expired(response: httpx.Response) -> bool:
    to_login = response.headers.get("Location", "").startswith("/user/login")
    return response.status_code == 401 or (response.status_code == 302 and to_login)


def _unreachable(error: httpx.TransportError) -> LabelStudioError:
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    return LabelStudioError(f"Label Studio: {error or type(error)}", retry=True, sent=not unsent)


def _refused(method: str, path: str, response: httpx.Response) -> LabelStudioError:
    return LabelStudioError(
        f"{method} {path} gave {response.status_code}: {response.text[:300]}",
        retry=response.status_code >= 500,
        status=response.status_code,
    )
