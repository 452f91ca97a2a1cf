"""Who works here: invitations, roles, access."""

from collections.abc import Callable
from uuid import UUID

import django_filters as filters
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotation import invitations
from annotation import people as verbs
from annotation.access import ADMINISTRATORS, PageRequest, Role, may, roles_allowed
from annotation.filters import choice_filter
from annotation.gateway.labeler import BACKEND
from annotation.listing import listing
from annotation.models import Invitation
from annotation.selectors import people as selectors

ROLE_WORDS = (
    gettext_noop("labeler"), gettext_noop("operations"), gettext_noop("ml_engineer"),
    gettext_noop("admin"),
)  # fmt: skip


class PeopleFilter(filters.FilterSet):
    q = filters.CharFilter(method="named", label=gettext_lazy("Name"))
    role = choice_filter(
        [(role, role) for role in Role], gettext_lazy("Role"), field_name="groups__name"
    )
    access = choice_filter(
        [("active", gettext_noop("active")), ("inactive", gettext_noop("inactive"))],
        gettext_lazy("Access"),
        method="with_access",
    )

    class Meta:
        model = User
        fields: list[str] = []

    def named(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(Q(username__icontains=value) | Q(first_name__icontains=value))

    def with_access(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(is_active=value == "active")


@require_safe
@roles_allowed(Role.OPERATIONS)
def people(request: PageRequest) -> HttpResponse:
    """Everybody, and the invitations still open."""
    page = listing(request, queryset=selectors.people(), filters=PeopleFilter)
    is_admin = may(request.user, ADMINISTRATORS)
    context = {
        "listing": page,
        "rows": [_row(user, request.user, is_admin) for user in page.page],
        "invitations": selectors.open_invitations(),
        "invitable": invitations.invitable_roles(by=request.user),
        "days": invitations.VALID_FOR.days,
        "may_give_roles": is_admin,
        "all_roles": list(Role),
    }
    return render(request, "people/list.html", context)


def _row(user: User, by: User, is_admin: bool) -> dict:
    roles = [group.name for group in user.groups.all() if group.name in set(Role)]
    is_labeler = set(roles) <= {Role.LABELER} and not user.is_superuser
    return {
        "person": user,
        "roles": roles,
        "may_change": user.pk != by.pk and (is_admin or is_labeler),
    }


@require_POST
@roles_allowed(Role.OPERATIONS)
def invite(request: PageRequest) -> HttpResponse:
    """Make an invitation; its link is shown this once."""
    try:
        invitation, token = invitations.invite(
            name=request.POST.get("name", ""),
            role=request.POST.get("role", Role.LABELER),
            by=request.user,
        )
    except invitations.InvitationError as error:
        messages.error(request, str(error))
    else:
        link = f"{settings.PUBLIC_URL}{reverse('welcome', args=[token])}"
        said = _("The link for %(name)s, shown this once: %(link)s")
        messages.success(request, said % {"name": invitation.name, "link": link})
    return redirect("people")


@require_POST
@roles_allowed(Role.OPERATIONS)
def revoke(request: PageRequest, pk: UUID) -> HttpResponse:
    invitation = get_object_or_404(Invitation, pk=pk)
    if invitation.role not in invitations.invitable_roles(by=request.user):
        messages.error(request, _("Only an administrator may take this one back."))
        return redirect("people")
    try:
        invitations.revoke(invitation=invitation, by=request.user)
    except invitations.InvitationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The link does not work any more."))
    return redirect("people")


@require_POST
@roles_allowed(Role.OPERATIONS)
def deactivate(request: PageRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    return _changed(
        request,
        lambda: verbs.deactivate(user=user, by=request.user),
        _("%(name)s can no longer log in."),
        user,
    )


@require_POST
@roles_allowed(Role.OPERATIONS)
def activate(request: PageRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    return _changed(
        request,
        lambda: verbs.activate(user=user, by=request.user),
        _("%(name)s can log in again."),
        user,
    )


@require_POST
@roles_allowed(*ADMINISTRATORS)
def set_roles(request: PageRequest, pk: int) -> HttpResponse:
    user, roles = get_object_or_404(User, pk=pk), request.POST.getlist("role")
    return _changed(
        request,
        lambda: verbs.set_roles(user=user, roles=roles, by=request.user),
        _("The roles of %(name)s were changed."),
        user,
    )


def _changed(
    request: PageRequest, change: Callable[[], object], said: str, user: User
) -> HttpResponse:
    try:
        change()
    except verbs.PeopleError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said % {"name": user.get_username()})
    return redirect("people")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """Where an invitation leads: one's own user name and password. Open to whoever has the link."""
    form: UserCreationForm = UserCreationForm(request.POST or None)
    try:
        invitation = invitations.find(token=token)
        if request.method == "POST" and form.is_valid():
            user = invitations.accept(
                token=token,
                username=form.cleaned_data["username"],
                password=form.cleaned_data["password1"],
            )
            login(request, user, backend=BACKEND)
            return redirect("my-work")
    except invitations.InvitationError as error:
        return render(request, "people/no_invitation.html", {"says": str(error)}, status=404)
    return render(request, "people/welcome.html", {"form": form, "invitation": invitation})
