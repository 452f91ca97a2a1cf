"""What holds for every answer: the content security policy, and that a page is open only to the
roles it names."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect
from rest_framework.views import APIView

from annotation.access import ADMINISTRATORS, may

# Everything is our own, and nothing is inline. `data:` is for the icons inside style sheets.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)

# These check whoever calls them by other means: a password, a signature, a shared secret.
OPEN_VIEWS = {"login", "logout", "set_language", "file", "label-studio-webhook", "welcome"}


class ContentSecurityPolicy:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class RolesRequired:
    """Opens a page to the roles its view names, and to nobody when it names none. API views are
    left to `webapp.roles.RolePermission`, which knows tokens too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs) -> HttpResponse | None:
        match = request.resolver_match
        if match.view_name in OPEN_VIEWS or _is_api(view):
            return None
        # The admin site draws its own log-in page and takes the way out.
        if match.view_name in {"admin:login", "admin:logout"}:
            return None
        roles = ADMINISTRATORS if "admin" in match.app_names else getattr(view, "roles", ())
        if not request.user.is_authenticated:
            return _to_login(request)
        if not may(request.user, roles):
            raise PermissionDenied
        return None


def _is_api(view: Callable) -> bool:
    cls = getattr(view, "cls", None)
    return cls is not None and issubclass(cls, APIView)


def _to_login(request: HttpRequest) -> HttpResponse:
    """A part of a page that is fetched after the session ended takes the whole page along."""
    if getattr(request, "htmx", False):
        return HttpResponseClientRedirect(resolve_url(settings.LOGIN_URL))
    return redirect_to_login(request.get_full_path())
