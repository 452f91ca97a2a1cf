"""Licences by brand, with the days they hold for, and their import."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotation.access import STAFF, PageRequest, Role, may, roles_allowed
from annotation.csv_upload import TableError
from annotation.licences import import_licences
from annotation.listing import listing
from annotation.missed_filters import LicenceFilter
from annotation.selectors import missed as selectors

WRITERS = (Role.OPERATIONS,)


@require_safe
@roles_allowed(*STAFF)
def licences(request: PageRequest) -> HttpResponse:
    """Who may sell which brand, and how long."""
    return _page(request)


@require_POST
@roles_allowed(*WRITERS)
def import_table(request: PageRequest) -> HttpResponse:
    """Bring merchants and licences up to a CSV file: all rows or none."""
    sent = request.FILES.get("table")
    if sent is None:
        return _page(request, problems=[_("Choose a CSV file.")])
    try:
        done = import_licences(table=sent.read(), by=request.user)
    except TableError as error:
        return _page(request, problems=error.problems)
    said = _(
        "%(licences)d licences added, %(changed)d changed, %(same)d as they were; %(merchants)d "
        "merchants added, %(renamed)d renamed."
    )
    messages.success(request, said % vars(done))
    return redirect("licences")


def _page(request: PageRequest, *, problems: list[str] | None = None) -> HttpResponse:
    page = listing(request, queryset=selectors.licences(), filters=LicenceFilter, per_page=100)
    context = {
        "listing": page,
        "rows": list(page.page),
        "totals": selectors.licence_totals(),
        "problems": problems or [],
        "today": timezone.localdate(),
        "may_import": may(request.user, WRITERS),
    }
    return render(request, "licences/list.html", context, status=400 if problems else 200)
