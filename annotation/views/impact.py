"""Publishing a guideline: what it does to the labels there are, and the choice what to do about
it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from annotation.access import PageRequest, Role, roles_allowed
from annotation.guideline_impact import impact_of, publish_with_impact
from annotation.guidelines import OPEN, GuidelineError
from annotation.models import GuidelineVersion
from annotation.selectors.guidelines import versions


@require_http_methods(["GET", "HEAD", "POST"])
@roles_allowed(Role.OPERATIONS)
def publish(request: PageRequest, pk: int) -> HttpResponse:
    """Look at the impact; with a choice made, publish."""
    version = get_object_or_404(versions(), pk=pk)
    if request.method != "POST":
        return _page(request, version)
    choice = request.POST.get("choice", "")
    seen = parse_datetime(request.POST.get("seen", ""))
    if choice not in ("keep", "queue") or seen is None:
        return _page(request, version, error=_("Choose whether to keep the labels in doubt."))
    try:
        published = publish_with_impact(
            version=version,
            by=request.user,
            requeue=choice == "queue",
            seen=seen,
            why=request.POST.get("why", "").strip(),
        )
    except GuidelineError as refusal:
        version.refresh_from_db()
        return _page(request, version, error=str(refusal))
    messages.success(request, _done(published))
    return redirect("brand", key=version.brand.key)


def _done(version: GuidelineVersion) -> str:
    queued = version.impact["queued"]
    if not queued:
        return _("%(version)s is published.") % {"version": version}
    return ngettext(
        "%(version)s is published; %(count)d task asks again.",
        "%(version)s is published; %(count)d tasks ask again.",
        queued,
    ) % {"version": version, "count": queued}


def _page(request: PageRequest, version: GuidelineVersion, *, error: str = "") -> HttpResponse:
    context = {
        "version": version,
        "error": error,
        # One that is out already has no impact to weigh.
        "impact": impact_of(version=version) if version.state in OPEN else None,
        "choice": request.POST.get("choice", ""),
        # To the microsecond: it is compared with the row.
        "seen": version.edited_at.isoformat(),
        "why": request.POST.get("why", ""),
    }
    status = 409 if error and version.state not in OPEN else 400 if error else 200
    return render(request, "impact/publish.html", context, status=status)
