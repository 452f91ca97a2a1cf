"""Releases in shadow."""

from django.db.models import QuerySet
from django.utils import timezone

from active_learning import datasets
from active_learning.models import Shadow


def shadows() -> QuerySet[Shadow]:
    return Shadow.objects.select_related(
        "release", "champion", "own_scan", "champions_scan", "requested_by"
    )


def fresh_images(*, shadow: Shadow) -> int:
    """How many images came in since the release was made, until its shadow ends."""
    until = min(shadow.ends_at, timezone.now())
    return datasets.fresh_images(since=shadow.release.created_at, until=until).count()
