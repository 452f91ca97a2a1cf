"""Label Studio over HTTP: one thin wrapper, one error type.

Its own SDK is not used: the platform needs about a dozen calls, which are a page here, while the
SDK brings a model class for each of several hundred, an OpenCV build, and neither bulk imports
that give ids back in order nor log-in by form.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

PAGE_SIZE = 200
RETRY_STATUS = frozenset({408, 409, 425, 429})
TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class LabelStudioError(Exception):
    """A call that failed. `retry` says whether the same call may succeed later; `sent` whether
    Label Studio may have acted on it nevertheless; `status` is its HTTP answer, if there was one.
    """

    def __init__(
        self, message: str, retry: bool, *, status: int | None = None, sent: bool = True
    ) -> None:
        super().__init__(message)
        self.retry = retry
        self.status = status
        self.sent = sent


class Client:
    """One user's access, by a personal access token (`token`) or by the log-in form (`email`,
    `password`). Sessions need no token of Label Studio's, of which a user can have one only and
    which cannot be read again once lost."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str = "",
        email: str = "",
        password: str = "",
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url
        self.email = email
        self._token = token
        self._password = password
        self._entered = False
        # Its server sends head and body of an answer apart: on a connection kept open, the body
        # waits 40 ms for the head's acknowledgement. A new one each time costs less.
        fresh = httpx.Limits(max_keepalive_connections=0)
        # A Referer is what Django's CSRF check wants from clients on https.
        self._http = httpx.Client(
            base_url=base_url,
            timeout=TIMEOUT,
            limits=fresh,
            transport=transport,
            headers={"Referer": base_url},
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, **params: Any) -> Any:
        return self._json(self.request("GET", path, params=params))

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        return self._json(self.request("POST", path, json=body, params=params))

    def patch(self, path: str, body: Any) -> Any:
        return self._json(self.request("PATCH", path, json=body))

    def delete(self, path: str) -> None:
        self.request("DELETE", path)

    def request(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send as this user, entering once more when the access has run out.

        Raises LabelStudioError for anything but success.
        """
        if not self._entered:
            self._enter()
        response = self._send(method, path, **kwargs)
        if response.status_code == 401:
            self._enter()
            response = self._send(method, path, **kwargs)
        if response.is_error:
            raise _refused(response)
        return response

    def cookies(self) -> dict[str, str]:
        """The cookies of a session opened by log-in."""
        if not self._entered:
            self._enter()
        return {name: value or "" for name, value in self._http.cookies.items()}

    def tasks(
        self,
        *,
        project: int,
        filters: Sequence[dict] = (),
        ids: Sequence[int] | None = None,
        annotations: bool = False,
        include: str = "",
    ) -> Iterator[dict]:
        """Tasks of a project in order of id: those that match all `filters` or are among `ids`;
        with `annotations`, in full."""
        query: dict[str, Any] = {}
        if filters:
            query["filters"] = {"conjunction": "and", "items": list(filters)}
        if ids is not None:
            query["selectedItems"] = {"all": False, "included": list(ids)}
        params = {"project": project, "query": json.dumps(query), "page_size": PAGE_SIZE}
        if annotations:
            params["fields"] = "all"
        if include:
            params["include"] = include
        page = 1
        while True:
            try:
                answer = self.get("/api/tasks", page=page, **params)
            except LabelStudioError as error:
                # Asking past the end is its way of saying that there are no more; the project
                # itself being gone reads the same, except on the first page.
                if error.status == 404 and page > 1:
                    return
                raise
            yield from answer["tasks"]
            if page * PAGE_SIZE >= answer["total"]:
                return
            page += 1

    def _enter(self) -> None:
        if self._token:
            self._refresh_token()
        else:
            self._log_in()
        self._entered = True

    def _refresh_token(self) -> None:
        """A personal access token is a refresh token; what it gives lasts about five minutes."""
        response = self._send("POST", "/api/token/refresh/", json={"refresh": self._token})
        if response.is_error:
            raise _refused(response)
        self._http.headers["Authorization"] = f"Bearer {self._json(response)['access']}"

    def _log_in(self) -> None:
        self._http.cookies.clear()
        form = self._send("GET", "/user/login/")
        if form.is_error:
            raise _refused(form)
        fields = {"email": self.email, "password": self._password, "persist_session": "on"}
        response = self._send("POST", "/user/login/", data=self._with_csrf(fields))
        if response.is_server_error:
            raise _refused(response)
        if response.status_code != 302:  # the form again: with its complaint
            raise LabelStudioError(f"{self.email} may not log in", retry=False, status=401)
        self._http.headers["X-CSRFToken"] = self._csrf()

    def _with_csrf(self, fields: dict[str, str]) -> dict[str, str]:
        """Form fields with the CSRF token of the last page."""
        return fields | {"csrfmiddlewaretoken": self._csrf()}

    def _csrf(self) -> str:
        return self._http.cookies.get("csrftoken") or ""

    def form(self, path: str, fields: dict[str, str]) -> httpx.Response:
        """Open a page that needs no log-in and send its form."""
        page = self._send("GET", path)
        if page.is_error:
            raise _refused(page)
        response = self._send("POST", path, data=self._with_csrf(fields))
        if response.is_error:
            raise _refused(response)
        return response

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **kwargs)
        except httpx.TransportError as error:
            unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            what = str(error) or type(error).__name__
            raise LabelStudioError(
                f"Label Studio at {self.base_url}: {what}", retry=True, sent=not unsent
            ) from error

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise LabelStudioError(
                f"{response.request.url.path} answered with no JSON", retry=True
            ) from error


def _refused(response: httpx.Response) -> LabelStudioError:
    status = response.status_code
    return LabelStudioError(
        f"{response.request.method} {response.request.url.path} gave {status}: "
        f"{response.text[:300]}",
        retry=status >= 500 or status in RETRY_STATUS,
        status=status,
    )


def field_filter(field: str, operator: str, value: Any, kind: str = "String") -> dict:
    """One condition on tasks as its data manager wants it; `field` as in `updated_at` or
    `data.KEY`."""
    return {
        "filter": f"filter:tasks:{field}",
        "operator": operator,
        "type": kind,
        "value": value,
    }
