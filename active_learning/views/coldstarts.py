"""Cold starts of a brand: the dials, the progress, and the brand's figures after every round."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import coldstarts as verbs
from active_learning.models import ColdStart
from active_learning.rounds import RoundError
from active_learning.selectors import coldstarts as selectors
from active_learning.selectors import registry
from active_learning.views.acting import act
from annotation.access import ENGINEERS, STAFF, PageRequest, roles_allowed
from annotation.listing import listing
from annotation.live import live
from annotation.models import Brand

REFUSALS = (verbs.ColdStartError, RoundError)


@require_safe
@roles_allowed(*STAFF)
def cold_start_list(request: PageRequest, key: str) -> HttpResponse:
    """A brand's cold starts, and the dials for another."""
    brand = get_object_or_404(Brand, key=key)
    page = listing(request, queryset=selectors.cold_starts().filter(brand=brand), per_page=25)
    champion = registry.champion()
    context = {
        "brand": brand,
        "listing": page,
        "cold_starts": page.page,
        "known": selectors.known_images(brand=brand),
        "default": verbs.DEFAULT_CONFIG,
        "rounds": verbs.ROUNDS,
        "most_rounds": verbs.MOST_ROUNDS,
        "hard_percent": round(100 * verbs.DEFAULT_CONFIG["hard_share"]),
        "mix": [(name, round(100 * share)) for name, share in verbs.MIX.items()],
        "running": brand.cold_starts.filter(state=ColdStart.State.RUNNING).first(),
        "is_known": champion is not None and brand.key in champion.brands,
    }
    return render(request, "coldstarts/list.html", context)


@require_POST
@roles_allowed(*ENGINEERS)
def cold_start_begin(request: PageRequest, key: str) -> HttpResponse:
    brand = get_object_or_404(Brand, key=key)
    try:
        config, rounds = _asked(request)
        made = verbs.start(brand=brand, rounds_wanted=rounds, config=config, by=request.user)
    except REFUSALS as refusal:
        messages.error(request, str(refusal))
        return redirect("cold-starts", key)
    return redirect("cold-start", made.pk)


def _asked(request: PageRequest) -> tuple[dict[str, Any], int]:
    """The dials as a person set them; what is empty, but for the rounds, is as the default says."""
    found = {
        name: _number(request, name)
        for name in ("brand", "rounds", "negatives_per_brand", "hard_share")
        if name == "rounds" or request.POST.get(name, "").strip()
    }
    config: dict[str, Any] = {}
    if "brand" in found:
        config["budget"] = found["brand"]
    if "negatives_per_brand" in found:
        config["negatives_per_brand"] = found["negatives_per_brand"]
    if "hard_share" in found:
        config["hard_share"] = found["hard_share"] / 100
    return config, found["rounds"]


def _number(request: PageRequest, name: str) -> int:
    text = request.POST.get(name, "").strip()
    if not text.isdecimal():
        raise RoundError(_("“%(text)s” is not a whole number.") % {"text": text})
    return int(text)


@require_safe
@roles_allowed(*STAFF)
def cold_start_detail(request: PageRequest, pk: int) -> HttpResponse:
    begun = get_object_or_404(selectors.cold_starts(), pk=pk)
    rounds = list(begun.rounds.all())
    context = {
        "cold_start": begun,
        "brand": begun.brand,
        "rounds": rounds,
        "standings": selectors.standings(cold_start=begun),
        "live": live(
            request,
            shown=[
                begun.state,
                [(r.number, [(s.name, s.state, s.error) for s in r.steps.all()]) for r in rounds],
            ],
        ),
    }
    is_part = request.htmx.target == "progress"
    return render(
        request, "coldstarts/_progress.html" if is_part else "coldstarts/detail.html", context
    )


@require_POST
@roles_allowed(*ENGINEERS)
def cold_start_cancel(request: PageRequest, pk: int) -> HttpResponse:
    begun = get_object_or_404(ColdStart, pk=pk)
    return act(
        request,
        lambda: verbs.cancel(cold_start=begun, by=request.user),
        done=_("The cold start is cancelled; labels and models stay."),
        to=reverse("cold-start", args=[pk]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def cold_start_resume(request: PageRequest, pk: int) -> HttpResponse:
    begun = get_object_or_404(ColdStart.objects.select_related("brand"), pk=pk)
    return act(
        request,
        lambda: verbs.resume(cold_start=begun, by=request.user),
        done=_("The cold start goes on."),
        to=reverse("cold-start", args=[pk]),
        refusals=REFUSALS,
    )
