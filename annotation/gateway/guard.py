"""What every request to the gateway passes first, and what every answer of its carries."""

from collections.abc import Callable
from typing import cast
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from annotation.access import roles_of
from annotation.gateway.replies import refused
from annotation.gateway.upstream import Visitor
from annotation.labelstudio.client import LabelStudioError

URLS = "annotation.gateway.urls"
LOGIN_PATH = "/login/"
SAFE = frozenset({"GET", "HEAD"})


class GatewayRequest(HttpRequest):
    """A request the guard let through: `visitor` speaks to Label Studio for its user."""

    user: User
    visitor: Visitor


class Guard:
    """Lets people with a role of ours in, from our own pages only, and answers every failure in
    one sentence. Roles make no difference here: an administrator has no more to look for in Label
    Studio than a labeler, and whatever one may do there could be done by a stolen session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.urlconf = URLS  # read by Django's resolver
        response = self._refusal(request)
        if response is None:
            request.visitor = Visitor(cast(User, request.user))  # type: ignore[attr-defined]
            response = self.get_response(request)
        for name, value in _headers().items():
            response.headers.setdefault(name, value)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, BadRequest):
            return refused(request, status=400, says=str(error))
        if isinstance(error, RequestDataTooBig):
            return refused(request, status=413, says=_("This is too much for one answer."))
        if isinstance(error, LabelStudioError):
            return _failed(request, error)
        return None

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        request.get_host()  # raises for a host that is not ours
        if request.method not in SAFE and not is_from_here(request):
            return refused(request, status=403, says=_("This request came from another page."))
        if not request.user.is_authenticated:
            return _to_login(request)
        if not roles_of(request.user):
            says = _("You have no role yet: an administrator gives them.")
            return refused(request, status=403, says=says)
        return None


def is_from_here(request: HttpRequest) -> bool:
    """Whether a page of the gateway itself sent this: we add Label Studio's own token against
    forgery to whatever passes, so this check stands in for it."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    said = request.headers.get("Origin") or request.headers.get("Referer") or ""
    origin = urlsplit(said)
    here = {f"{request.scheme}://{request.get_host()}", settings.GATEWAY_URL}
    return f"{origin.scheme}://{origin.netloc}" in here


def _to_login(request: HttpRequest) -> HttpResponse:
    is_page = request.method in SAFE and not request.path_info.startswith("/api/")
    if not is_page:
        return refused(request, status=401, says=_("Log in first."))
    back = quote(settings.GATEWAY_URL + request.get_full_path())
    return HttpResponseRedirect(f"{settings.PUBLIC_URL}{LOGIN_PATH}?next={back}")


def _failed(request: HttpRequest, error: LabelStudioError) -> HttpResponse:
    if error.status in (400, 413):
        return refused(request, status=error.status, says=_("Label Studio refused this answer."))
    if error.status in (403, 404):
        return refused(request, status=404, says=_("There is no such page here."))
    says = _("Label Studio does not answer just now. Nothing is lost: try again in a minute.")
    response = refused(request, status=503, says=says)
    response.headers["Retry-After"] = "10"
    return response


def _headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": policy(),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def policy(scripts: str = "") -> str:
    """Label Studio's page needs styles of its own making and one kind of script inside it, which
    `scripts` allows by their hashes. Pictures come from us alone."""
    ours = settings.PUBLIC_URL
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {scripts}".rstrip(),
            "style-src 'self' 'unsafe-inline'",
            f"img-src 'self' data: blob: {ours}",
            "font-src 'self' data:",
            f"connect-src 'self' {ours}",
            "worker-src 'self' blob:",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )
