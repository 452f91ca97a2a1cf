"""Reads of missed risks and licences."""

from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from annotation.models import MissedRisk, Qualification


def missed_risks() -> QuerySet[MissedRisk]:
    """Missed risks with picture, product, brand and person, last found first."""
    return MissedRisk.objects.select_related("image__product__merchant", "brand", "entered_by")


def missed_totals() -> dict[str, Any]:
    """`{"total", "business", "training", "recent", "last"}`."""
    month = timezone.localdate() - timedelta(days=30)
    return MissedRisk.objects.aggregate(
        total=Count("pk"),
        business=Count("pk", filter=Q(image__split="business")),
        training=Count("pk", filter=Q(image__role="training")),
        recent=Count("pk", filter=Q(found_on__gte=month)),
        last=Max("found_on"),
    )


def licences() -> QuerySet[Qualification]:
    """Licences with merchant and brand, by brand."""
    return Qualification.objects.select_related("merchant", "brand").order_by(
        "brand__name_en", "brand_id", "merchant__name", "merchant__external_id", "valid_from"
    )


def valid_on(day: date) -> Q:
    """Licences in force on a day; the last day counts."""
    return Q(valid_from__lte=day) & (Q(valid_to__isnull=True) | Q(valid_to__gte=day))


def licence_totals() -> dict[str, int]:
    """`{"valid", "brands", "merchants", "ending"}`: as of today; `ending` within 30 days."""
    today = timezone.localdate()
    return Qualification.objects.aggregate(
        valid=Count("pk", filter=valid_on(today)),
        brands=Count("brand", distinct=True, filter=valid_on(today)),
        merchants=Count("merchant", distinct=True, filter=valid_on(today)),
        ending=Count("pk", filter=valid_on(today) & Q(valid_to__lte=today + timedelta(days=30))),
    )
