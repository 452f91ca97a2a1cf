"""Pages of model versions and releases."""

import json
from collections.abc import Sequence

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import promotion as verbs
from active_learning import shadows
from active_learning.filters import ModelVersionFilter, ReleaseFilter
from active_learning.gates import unmet_in_words
from active_learning.measures import Figure, brand_recalls, figures
from active_learning.models import ModelKind, Release
from active_learning.selectors import registry as selectors
from active_learning.views.acting import act
from annotation.access import ENGINEERS, PageRequest, roles_allowed
from annotation.cards import brand_names
from annotation.listing import listing

DEFAULT_HOURS = 24  # in shadow, where the setting names none


@require_safe
@roles_allowed(*ENGINEERS)
def release_list(request: PageRequest) -> HttpResponse:
    """Releases with their figures, and the latest versions of each model."""
    page = listing(request, queryset=selectors.releases(), filters=ReleaseFilter, per_page=20)
    found = list(page.page)
    reports = selectors.latest_reports(release_ids=[release.pk for release in found])
    context = {
        "listing": page,
        "rows": [
            {"release": release, "models": _models(release, reports.get(release.pk, {}))}
            for release in found
        ],
        "events": selectors.events()[:12],
        "previous": next((r for r in found if r.state == Release.State.RETIRED), None),
    }
    return render(request, "models/releases.html", context)


def _models(release: Release, report: dict) -> list[dict]:
    measured = figures(report)
    return [
        {
            "kind": kind.label,
            "version": getattr(release, kind),
            "figures": measured.get(kind),
            "gate": release.gate.get(kind, {}),
        }
        for kind in ModelKind
        if getattr(release, kind)
    ]


@require_safe
@roles_allowed(*ENGINEERS)
def release_detail(request: PageRequest, number: int) -> HttpResponse:
    """A release beside the champion: figures, gate, and every brand's recall."""
    release = get_object_or_404(selectors.releases(), number=number)
    champion = selectors.champion()
    other = _compared_with(release, champion)
    before, report = selectors.reports_together(before=other, after=release)
    kinds = [kind for kind in ModelKind.values if brand_recalls(report, kind)]
    context = {
        "release": release,
        "champion": champion,
        "other": other,
        "models": _models(release, report),
        "others": figures(before),
        "brand_kinds": kinds,
        "brands": _brands(report, before, kinds),
        "thresholds": json.dumps(release.thresholds, indent=2, ensure_ascii=False),
        "against": unmet_in_words(shadows.against(release)),
        "shadow": shadows.of(release),
        "may_shadow": release.state in shadows.MAY_ENTER and bool(release.thresholds),
        "shadow_hours": round(settings.SHADOW_HOURS) or DEFAULT_HOURS,
    }
    return render(request, "models/release.html", context)


def _compared_with(release: Release, champion: Release | None) -> Release | None:
    """The champion; of the champion itself, the release it followed."""
    if champion is not None and champion.pk != release.pk:
        return champion
    events = [event for event in release.events.all() if event.previous_id]
    return events[0].previous if events else None


def _brands(report: dict, before: dict, kinds: Sequence[str]) -> list[dict]:
    """Each brand's recall by each of these models with its change, worst change first."""
    found = {kind: brand_recalls(report, kind) for kind in kinds}
    earlier = {kind: brand_recalls(before, kind) for kind in kinds}
    keys = {key for by_brand in found.values() for key in by_brand}
    names = brand_names(keys)
    rows = []
    for key in keys:
        cells = [_cell(found[kind].get(key), earlier[kind].get(key)) for kind in kinds]
        changes = [cell["change"] for cell in cells if cell["change"] is not None]
        rows.append(
            {
                "key": key,
                "name": names.get(key, key),
                "cells": cells,
                "worst": min(changes, default=0.0),
            }
        )
    return sorted(rows, key=lambda row: (row["worst"], row["name"]))


def _cell(now: Figure | None, before: Figure | None) -> dict:
    change = now.value - before.value if now and before else None
    return {"now": now, "change": change}


@require_safe
@roles_allowed(*ENGINEERS)
def model_list(request: PageRequest) -> HttpResponse:
    page = listing(
        request, queryset=selectors.model_versions(), filters=ModelVersionFilter, per_page=30
    )
    return render(request, "models/versions.html", {"listing": page, "versions": page.page})


@require_safe
@roles_allowed(*ENGINEERS)
def model_detail(request: PageRequest, kind: str, number: int) -> HttpResponse:
    """A model version: what it was trained on and what it reached, in every release it is in."""
    version = get_object_or_404(selectors.model_versions(), kind=kind, number=number)
    releases = list(selectors.releases().filter(**{str(version.kind): version}))
    reports = selectors.latest_reports(release_ids=[release.pk for release in releases])
    context = {
        "version": version,
        "config": json.dumps(version.config, indent=2, ensure_ascii=False),
        "metrics": json.dumps(version.metrics, indent=2, ensure_ascii=False),
        "rows": [
            {
                "release": release,
                "figures": figures(reports.get(release.pk, {})).get(kind),
                "milliseconds": reports.get(release.pk, {}).get(kind, {}).get("milliseconds"),
            }
            for release in releases
        ],
    }
    return render(request, "models/version.html", context)


@require_POST
@roles_allowed(*ENGINEERS)
def release_promote(request: PageRequest, number: int) -> HttpResponse:
    release = get_object_or_404(Release, number=number)
    why = request.POST.get("why", "").strip()
    override = request.POST.get("override") == "1"
    return act(
        request,
        lambda: verbs.promote(release=release, by=request.user, why=why, override=override),
        done=_("Release %(number)d is the champion.") % {"number": number},
        to=reverse("release", args=[number]),
        refusals=(verbs.PromotionError,),
    )


@require_POST
@roles_allowed(*ENGINEERS)
def roll_back(request: PageRequest) -> HttpResponse:
    why = request.POST.get("why", "").strip()
    return act(
        request,
        lambda: verbs.roll_back(by=request.user, why=why),
        done=_("Rolled back to the champion before."),
        to=reverse("models"),
        refusals=(verbs.PromotionError,),
    )
