"""Previews of rounds: dials in, what would be asked and what that is likely to change out."""

import json
from collections import defaultdict
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import forecasts as verbs
from active_learning import jobs
from active_learning.filters import STRATEGIES
from active_learning.models import Forecast
from active_learning.promotion import champion
from active_learning.rounds import DEFAULT_CONFIG, RoundError
from active_learning.selectors import forecasts as selectors
from active_learning.views.acting import act
from annotation.access import ENGINEERS, STAFF, PageRequest, roles_allowed
from annotation.listing import listing
from annotation.live import live
from annotation.models import Brand
from ml.acquisition import STRATEGIES as RANKED
from ml.acquisition import SUSPECTED
from ml.errors import InputError

REFUSALS = (RoundError, jobs.JobError, InputError)
MIXED = (*RANKED, SUSPECTED)
KINDS = tuple(DEFAULT_CONFIG["budget"])


@require_safe
@roles_allowed(*STAFF)
def forecast_list(request: PageRequest) -> HttpResponse:
    """Earlier previews, and the dials for another."""
    page = listing(request, queryset=selectors.forecasts(), per_page=25)
    words = dict(STRATEGIES)
    context = {
        "listing": page,
        "forecasts": page.page,
        "budget": DEFAULT_CONFIG["budget"],
        "mix": [
            (name, words[name], round(100 * DEFAULT_CONFIG["mix"].get(name, 0))) for name in MIXED
        ],
        "brands": _brands(),
    }
    return render(request, "forecasts/list.html", context)


def _brands() -> QuerySet[Brand]:
    """Those that a round can be about: the champion knows them."""
    live = champion()
    listed = Brand.objects.filter(state=Brand.State.LISTED, key__in=live.brands if live else ())
    return listed.order_by("name_en")


@require_POST
@roles_allowed(*ENGINEERS)
def forecast_request(request: PageRequest) -> HttpResponse:
    try:
        made = verbs.request_forecast(config=_asked(request), by=request.user)
    except REFUSALS as refusal:
        messages.error(request, str(refusal))
        return redirect("forecasts")
    return redirect("forecast", made.pk)


def _asked(request: PageRequest) -> dict[str, Any]:
    """The dials as a person set them."""
    config: dict[str, Any] = {
        "budget": {kind: _number(request, kind) for kind in KINDS},
        "mix": {name: share for name in MIXED if (share := _number(request, name) / 100)},
        "focus": request.POST.getlist("focus"),
    }
    if request.POST.get("most_per_brand", "").strip():
        config["most_per_brand"] = _number(request, "most_per_brand")
    trained: dict[str, float] = {}
    if request.POST.get("negatives_per_brand", "").strip():
        trained["negatives_per_brand"] = float(_number(request, "negatives_per_brand"))
    if request.POST.get("hard_share", "").strip():
        trained["hard_share"] = _number(request, "hard_share") / 100
    return config | ({"train": {"classifier": trained}} if trained else {})


def _number(request: PageRequest, name: str) -> int:
    text = request.POST.get(name, "").strip() or "0"
    if not text.isdecimal():
        raise RoundError(_("“%(text)s” is not a whole number.") % {"text": text})
    return int(text)


@require_safe
@roles_allowed(*STAFF)
def forecast_detail(request: PageRequest, pk: int) -> HttpResponse:
    forecast = get_object_or_404(
        selectors.forecasts().select_related("round__champion", "round__candidate"), pk=pk
    )
    changes = selectors.changes(
        report=forecast.report,
        items=selectors.items_by_brand(forecast),
        outcome=selectors.outcomes(round_=forecast.round),
    )
    judged = [row.as_forecast for row in changes if row.brand and row.as_forecast is not None]
    context = {
        "forecast": forecast,
        "changes": changes,
        "right": sum(judged),
        "judged": len(judged),
        "asked": _by_kind(forecast),
        "config": json.dumps(forecast.config, indent=2, ensure_ascii=False),
        "live": live(request, shown=[forecast.state, forecast.stage, forecast.progress]),
    }
    is_part = request.htmx.target == "forecast"
    return render(
        request, "forecasts/_forecast.html" if is_part else "forecasts/detail.html", context
    )


def _by_kind(forecast: Forecast) -> list[dict[str, Any]]:
    """A row a kind of task and strategy: how many items, and of which brands most."""
    rows: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for row in forecast.chosen:
        rows[row["kind"], row["strategy"]].append((row["items"], row["brand"] or ""))
    return [
        {
            "kind": kind,
            "strategy": strategy,
            "items": sum(items for items, _brand in found),
            "brands": [(brand, items) for items, brand in sorted(found, reverse=True) if brand],
        }
        for (kind, strategy), found in rows.items()
    ]


@require_POST
@roles_allowed(*ENGINEERS)
def forecast_open(request: PageRequest, pk: int) -> HttpResponse:
    forecast = get_object_or_404(Forecast, pk=pk)
    return act(
        request,
        lambda: verbs.open_forecast(forecast=forecast, by=request.user),
        done=_("A round is open."),
        to=reverse("forecast", args=[pk]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def forecast_cancel(request: PageRequest, pk: int) -> HttpResponse:
    forecast = get_object_or_404(Forecast, pk=pk)
    return act(
        request,
        lambda: jobs.cancel(job=forecast, by=request.user),
        done=_("The forecast is being cancelled."),
        to=reverse("forecast", args=[pk]),
        refusals=REFUSALS,
    )
