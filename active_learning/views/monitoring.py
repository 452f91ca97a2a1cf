"""Pages of monitoring: what is measured, and the alerts."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import alerts as verbs
from active_learning.deliveries import channels
from active_learning.filters import AlertFilter, LatestFilter
from active_learning.models import Alert
from active_learning.selectors import monitoring as selectors
from active_learning.views.acting import act
from annotation.access import STAFF, PageRequest, roles_allowed
from annotation.listing import listing

OPEN_SHOWN = 20


@require_safe
@roles_allowed(*STAFF)
def monitoring(request: PageRequest) -> HttpResponse:
    """Open alerts, then every measure with its last days."""
    page = listing(request, queryset=selectors.latest(), filters=LatestFilter, per_page=40)
    is_open = selectors.alerts().filter(state=Alert.State.OPEN)
    found = list(is_open[: OPEN_SHOWN + 1])
    context = {
        "listing": page,
        "rows": selectors.rows(page=list(page.page)),
        "alerts": selectors.alert_rows(page=found[:OPEN_SHOWN]),
        "has_more": len(found) > OPEN_SHOWN,
        "channels": channels(),
        "fresh_days": settings.MONITORING_FRESH_DAYS,
        "least": settings.MONITORING_LEAST_IMAGES,
    }
    return render(request, "monitoring/list.html", context)


@require_safe
@roles_allowed(*STAFF)
def alert_list(request: PageRequest) -> HttpResponse:
    """All alerts, also those closed, with what became of the word sent of them."""
    page = listing(request, queryset=selectors.alerts(), filters=AlertFilter, per_page=30)
    context = {"listing": page, "alerts": selectors.alert_rows(page=list(page.page))}
    return render(request, "monitoring/alerts.html", context)


@require_POST
@roles_allowed(*STAFF)
def alert_acknowledge(request: PageRequest, pk: int) -> HttpResponse:
    alert = get_object_or_404(Alert, pk=pk)
    note = request.POST.get("why", "")
    return act(
        request,
        lambda: verbs.acknowledge(alert=alert, by=request.user, note=note),
        done=_("Acknowledged. The alert closes when its measure is back within its limit."),
        to=reverse("monitoring"),
        refusals=(verbs.AlertError,),
    )
