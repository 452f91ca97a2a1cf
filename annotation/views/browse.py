"""Pages to look around in: images, the sync with Label Studio."""

from dataclasses import replace

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from annotation import selectors
from annotation.access import ENGINEERS, STAFF, PageRequest, roles_allowed
from annotation.cards import Card, label_cards
from annotation.filters import ImageFilter
from annotation.listing import listing
from annotation.models import Image, Task

CARDS = 48  # a page: divides evenly into rows of 2, 3, 4, 6 and 8


@require_safe
@roles_allowed(*STAFF)
def images(request: PageRequest) -> HttpResponse:
    """All images, by split, brand and title."""
    page = listing(request, queryset=selectors.images(), filters=ImageFilter, per_page=CARDS)
    context = {
        "listing": page,
        "cards": [_image_card(image) for image in page.page],
        "splits": selectors.splits(),
    }
    return render(request, "images/list.html", context)


def _image_card(image: Image) -> Card:
    decided = {row.kind: row for row in image.consensus.all()}
    brand, boxes = decided.get(Task.Kind.BRAND), decided.get(Task.Kind.BOXES)
    card = Card(
        image=image,
        title=image.product.title if image.product else "",
        boxes=(boxes.boxes if boxes else None) or [],
        reason=_(image.get_split_display()),
        proposal=str(image.weak_brand) if image.weak_brand else "",
    )
    if brand is None:
        return card
    return replace(card, answer=str(brand.brand or brand.get_answer_display()))


@require_safe
@roles_allowed(*STAFF)
def image(request: PageRequest, sha256: str) -> HttpResponse:
    """One image and everything people said of it."""
    shown = get_object_or_404(selectors.images().select_related("batch", "group"), sha256=sha256)
    labels = list(selectors.labels().filter(image=shown))
    similar = selectors.images().filter(group=shown.group_id).exclude(pk=shown.pk)[:12]
    context = {
        "image": shown,
        "card": _image_card(shown),
        "cards": label_cards(labels),
        "similar": [_image_card(other) for other in similar],
    }
    return render(request, "images/detail.html", context)


@require_safe
@roles_allowed(*ENGINEERS)
def label_studio(request: PageRequest) -> HttpResponse:
    """Whether both sides of the sync agree."""
    context = {
        "projects": selectors.sync_projects(),
        "backlog": selectors.backlog(),
        "inbox": selectors.inbox(),
        "failed_events": selectors.failed_events(),
        "address": settings.LABEL_STUDIO_URL,
    }
    return render(request, "label_studio/state.html", context)
