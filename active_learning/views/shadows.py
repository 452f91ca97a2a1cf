"""Pages of releases in shadow: both releases on the images that came in."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import jobs
from active_learning import shadows as verbs
from active_learning.measures import Figure
from active_learning.models import Release, Shadow
from active_learning.selectors import shadows as selectors
from active_learning.shadow_figures import SIDES, only_flagged
from active_learning.views.acting import act
from annotation.access import ENGINEERS, PageRequest, roles_allowed
from annotation.cards import Card, brand_names
from annotation.listing import listing
from annotation.models import Image

PER_PAGE = 48


@require_safe
@roles_allowed(*ENGINEERS)
def shadow_detail(request: PageRequest, number: int) -> HttpResponse:
    """What a release and the champion flag of the same fresh images, and where they differ."""
    release = get_object_or_404(Release, number=number)
    shadow = verbs.of(release)
    if shadow is None:
        raise Http404
    show = request.GET.get("show", "")
    show = show if show in SIDES else SIDES[0]
    found, refusal = _differing(shadow, show)
    page = listing(request, queryset=found, per_page=PER_PAGE)
    report = shadow.report
    context = {
        "release": release,
        "shadow": shadow,
        "report": report,
        "fresh": selectors.fresh_images(shadow=shadow),
        "figures": {
            name: Figure(**report[name])
            for name in ("champion", "challenger", "agreement")
            if name in report
        },
        "show": show,
        "listing": page,
        "cards": _cards(page.page),
        "refusal": refusal,
        "kind": next(iter(report.get("models", ())), "classifier"),
    }
    return render(request, "models/shadow.html", context)


def _differing(shadow: Shadow, side: str) -> tuple[list[dict[str, Any]], str]:
    """The images, or why they cannot be shown any more."""
    if "n" not in shadow.report:
        return [], ""
    try:
        return only_flagged(shadow=shadow, side=side), ""
    except (jobs.JobError, OSError) as error:
        return [], str(error)


def _cards(rows: Any) -> list[tuple[Card, str]]:
    """Each card with the brand it is flagged for."""
    found = list(rows)
    images = Image.objects.filter(sha256__in=[row["sha256"] for row in found])
    known = {image.sha256: image for image in images.select_related("product")}
    names = brand_names({row["brand"] for row in found})
    return [
        (_card(row, known[row["sha256"]], names), row["brand"])
        for row in found
        if row["sha256"] in known
    ]


def _card(row: dict[str, Any], image: Image, names: dict[str, str]) -> Card:
    return Card(
        image=image,
        title=image.product.title if image.product else "",
        proposal=names.get(row["brand"], row["brand"]),
        score=row["score"],
        at=image.created_at,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def shadow_begin(request: PageRequest, number: int) -> HttpResponse:
    release = get_object_or_404(Release, number=number)
    return act(
        request,
        lambda: verbs.start(release=release, hours=_hours(request), by=request.user),
        done=_("Release %(number)d is in shadow.") % {"number": number},
        to=reverse("release", args=[number]),
        refusals=(verbs.ShadowError,),
    )


def _hours(request: PageRequest) -> float:
    text = request.POST.get("hours", "").strip()
    if not text.isdecimal():
        raise verbs.ShadowError(_("“%(text)s” is not a whole number of hours.") % {"text": text})
    return float(text)


@require_POST
@roles_allowed(*ENGINEERS)
def shadow_end(request: PageRequest, number: int) -> HttpResponse:
    shadow = get_object_or_404(Shadow.objects.select_related("release"), release__number=number)
    return act(
        request,
        lambda: verbs.end_early(shadow=shadow, by=request.user),
        done=_("The images that came in are being scanned; then the release is settled."),
        to=reverse("shadow", args=[number]),
        refusals=(verbs.ShadowError,),
    )
