"""The home page, one's own account, and the API's schema."""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authtoken.models import Token

from active_learning.selectors.home import loop
from annotation.access import EVERYBODY, STAFF, PageRequest, may, roles_allowed
from annotation.live import live
from webapp.middleware import POLICY


class LogIn(LoginView):
    """The one log-in, of the pages and of the gateway, to which it may lead back."""

    template_name = "login.html"

    def get_success_url_allowed_hosts(self, *args: HttpRequest | None) -> set[str]:
        gateway = urlsplit(settings.GATEWAY_URL).netloc
        return {*super().get_success_url_allowed_hosts(*args), gateway}

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        # Browsers hold the address that a form leads on to against the policy too.
        response.headers["Content-Security-Policy"] = POLICY.replace(
            "form-action 'self'", f"form-action 'self' {settings.GATEWAY_URL}"
        )
        return response


@require_safe
@roles_allowed(*EVERYBODY)
def home(request: PageRequest) -> HttpResponse:
    """Where the loop stands; a labeler's home is their own work."""
    if not may(request.user, STAFF):
        return redirect("my-work")
    now = loop()
    context = {
        "loop": now,
        "live": live(request, shown=now.shown()),
        "budget": settings.FLAG_RATIO_BUDGET,
    }
    is_part = request.htmx.target == "loop"
    return render(request, "home/_loop.html" if is_part else "home/home.html", context)


@require_safe
@roles_allowed(*EVERYBODY)
def account(request: PageRequest) -> HttpResponse:
    """One's roles, one's password, and whether one has an API token."""
    return _account(request, PasswordChangeForm(request.user))


def _account(request: PageRequest, form: PasswordChangeForm, status: int = 200) -> HttpResponse:
    token = Token.objects.filter(user=request.user.pk).first()
    context = {"token_made_at": token.created if token else None, "form": form}
    return render(request, "account.html", context, status=status)


@require_POST
@roles_allowed(*EVERYBODY)
def change_password(request: PageRequest) -> HttpResponse:
    """Change one's password; it ends one's sessions elsewhere."""
    form = PasswordChangeForm(request.user, request.POST)
    if not form.is_valid():
        return _account(request, form, status=400)
    form.save()
    update_session_auth_hash(request, form.user)
    messages.success(request, _("Your password was changed; you are logged out everywhere else."))
    return redirect("account")


@require_POST
@roles_allowed(*EVERYBODY)
def new_token(request: PageRequest) -> HttpResponse:
    """Replace one's API token; the new one is shown this once."""
    with transaction.atomic():
        Token.objects.filter(user=request.user.pk).delete()
        token = Token.objects.create(user=request.user)
    messages.success(
        request, _("Your new API token, shown this once: %(key)s") % {"key": token.key}
    )
    return redirect("account")


class Schema(SpectacularAPIView):
    roles = EVERYBODY


class Docs(SpectacularSwaggerSplitView):
    """Swagger UI served by ourselves, its script apart from the page as the policy wants."""

    roles = EVERYBODY
    url_name = "schema"
