"""A labeler that is a program: logged in with us and going through the gateway like everybody."""

from importlib import import_module
from types import TracebackType
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection

from annotation.labelstudio.client import LabelStudioError

BACKEND = "django.contrib.auth.backends.ModelBackend"
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
# Taken back, or answered meanwhile, while it was looked at.
TOO_LATE = frozenset({404, 409})


class GatewayLabeler:
    """Asks for tasks and answers them, in a session of ours that ends with the block:

        with GatewayLabeler(user) as labeler:
            task = labeler.next_task(project=3)

    All calls raise LabelStudioError for what the gateway refuses or cannot do now.
    """

    def __init__(self, user: User) -> None:
        self._user = user

    def __enter__(self) -> "GatewayLabeler":
        self._session = import_module(settings.SESSION_ENGINE).SessionStore()
        self._session[SESSION_KEY] = str(self._user.pk)
        self._session[BACKEND_SESSION_KEY] = BACKEND
        self._session[HASH_SESSION_KEY] = self._user.get_session_auth_hash()
        self._session.create()
        gateway = settings.GATEWAY_INTERNAL_URL
        self.http = httpx.Client(
            base_url=gateway,
            timeout=TIMEOUT,
            headers={"Origin": gateway},
            cookies={settings.SESSION_COOKIE_NAME: self._session.session_key},
            trust_env=False,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()
        try:
            self._session.delete()
        except (OperationalError, InterfaceError):
            # The database was restarted while this connection had nothing to ask: a new one.
            connection.close()
            self._session.delete()

    def next_task(self, *, project: int) -> dict[str, Any] | None:
        """The next task of a project (Label Studio's number) as the page gets it; None when there
        is none for this person now."""
        query = {"id": "next_task", "project": project}
        response = self._send("/api/dm/actions", {}, query)
        if response.status_code == 404:
            return None
        return dict(_checked(response).json())

    def answer(
        self, *, task: int, result: list[dict], seconds: float = 0.0, skip: bool = False
    ) -> bool:
        """Answer a task, or skip it. False when it came too late."""
        body = {"result": result, "lead_time": seconds, "was_cancelled": skip}
        response = self._send(f"/api/tasks/{task}/annotations", body)
        if response.status_code in TOO_LATE:
            return False
        _checked(response)
        return True

    def _send(
        self, path: str, body: dict[str, Any], query: dict[str, Any] | None = None
    ) -> httpx.Response:
        try:
            return self.http.post(path, json=body, params=query or {})
        except httpx.TransportError as error:
            raise LabelStudioError(f"the gateway: {error or type(error)}", retry=True) from error


def _checked(response: httpx.Response) -> httpx.Response:
    status = response.status_code
    if response.is_success:
        return response
    raise LabelStudioError(
        f"{response.request.url.path} gave {status}: {response.text[:300]}",
        retry=status >= 500,
        status=status,
    )
