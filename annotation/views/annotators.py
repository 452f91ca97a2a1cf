"""Who labels, how well, and whose labels are held."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.access import PageRequest, Role, roles_allowed
from annotation.holds import HoldError, release
from annotation.listing import listing
from annotation.models import Hold, Task
from annotation.selectors import annotators as selectors


@require_safe
@roles_allowed(Role.OPERATIONS)
def annotators(request: PageRequest) -> HttpResponse:
    """Everybody who labels, those who need help first."""
    kind = request.GET.get("kind", "")
    kind = kind if kind in Task.Kind.values else ""
    page = listing(request, queryset=selectors.annotators(kind=kind))
    context = {"listing": page, "kind": kind, "kinds": Task.Kind.values}
    return render(request, "annotators/list.html", context)


@require_safe
@roles_allowed(Role.OPERATIONS)
def annotator(request: PageRequest, pk: int) -> HttpResponse:
    """One annotator."""
    user = get_object_or_404(User, pk=pk)
    return render(request, "annotators/detail.html", {"person": selectors.person(user=user)})


@require_POST
@roles_allowed(Role.OPERATIONS)
def hold_release(request: PageRequest, pk: int) -> HttpResponse:
    """Believe somebody again; `keep` says what becomes of the labels that were held."""
    hold = get_object_or_404(Hold, pk=pk)
    keep = request.POST.get("keep") == "yes"
    try:
        release(hold=hold, by=request.user, why=request.POST.get("why", ""), keep=keep)
    except HoldError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(name)s is released.") % {"name": hold.user.get_username()})
    return redirect("annotator", pk=hold.user_id)
