"""Pages of brands: how each stands, and what one looks like."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from active_learning.estimates import probe_counts
from active_learning.measures import wilson
from active_learning.selectors import brand_sources, registry
from active_learning.selectors import brands as selectors
from annotation import selectors as annotation
from annotation.access import EVERYBODY, STAFF, PageRequest, Role, may, roles_allowed
from annotation.cards import label_cards
from annotation.filters import BrandFilter
from annotation.guidelines import OPEN
from annotation.labelstudio.guideline import markdown
from annotation.listing import Listing, listing
from annotation.models import Brand, GuidelineVersion
from annotation.selectors import guidelines

RECENT = 24


@require_safe
@roles_allowed(*STAFF)
def brand_list(request: PageRequest) -> HttpResponse:
    """Which brands need care. Sorted by figures that no query knows, so all of them are read."""
    filters = BrandFilter(request.GET, queryset=annotation.brands(), request=request)
    sort = request.GET.get("sort", "-need")
    rows = selectors.brand_rows(brands=list(filters.qs), sort=sort)
    page = listing(request, queryset=rows, per_page=60)
    context = {"listing": Listing(filters, page.page), "rows": page.page, "sort": sort}
    return render(request, "brands/list.html", context)


@require_safe
@roles_allowed(*EVERYBODY)
def brand_detail(request: PageRequest, key: str) -> HttpResponse:
    """A brand's guideline, and how we do on it."""
    brand = get_object_or_404(Brand, key=key)
    guideline = annotation.guideline(brand=brand)
    context = {
        "brand": brand,
        "guideline": guideline,
        "rules": markdown(guideline.rules) if guideline else "",
        "harmless": markdown(guideline.not_violations) if guideline else "",
    }
    # How we do on it would tell a labeler what the model thinks; drafts are not theirs to see.
    if may(request.user, STAFF):
        context |= _figures(brand) | _versions(request, brand) | _sources(brand, guideline)
    return render(request, "brands/detail.html", context)


def _versions(request: PageRequest, brand: Brand) -> dict:
    history = guidelines.history(brand=brand)
    return {
        "versions": history,
        "open_draft": next((version for version in history if version.state in OPEN), None),
        "may_write": may(request.user, [Role.OPERATIONS]),
    }


def _sources(brand: Brand, guideline: GuidelineVersion | None) -> dict:
    return {
        "mix": brand_sources.brand_mix(brand),
        "key_styles": brand_sources.key_styles(brand, guideline),
        "newest": brand_sources.NEWEST,
    }


def _figures(brand: Brand) -> dict:
    hits, draws = probe_counts()
    recent = annotation.labels().filter(brand=brand)[:RECENT]
    return {
        "figures": True,
        "cards": label_cards(list(recent)),
        "labels": annotation.label_counts().get(brand.pk, 0),
        "precision": wilson(hits[brand.key], draws[brand.key]),
        "history": selectors.recall_history(
            key=brand.key, evaluations=registry.champions_history()
        ),
    }
