"""Model versions, releases, their figures and their history."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Prefetch, QuerySet

from active_learning.comparing import measured_together
from active_learning.models import (
    Evaluation,
    JobState,
    ModelKind,
    ModelVersion,
    PromotionEvent,
    Release,
    Scan,
)

HISTORY = 24  # releases in a trend


def releases() -> QuerySet[Release]:
    """Releases, newest first, with their models and events."""
    return Release.objects.select_related(*ModelKind.values).prefetch_related(
        Prefetch("events", PromotionEvent.objects.select_related("by", "previous"))
    )


def champion() -> Release | None:
    return releases().filter(state=Release.State.CHAMPION).first()


def latest_reports(*, release_ids: Iterable[int]) -> dict[int, dict]:
    """The last finished evaluation's report, by release."""
    rows = Evaluation.objects.filter(release__in=set(release_ids), state=JobState.SUCCEEDED)
    return dict(rows.order_by("pk").values_list("release_id", "report"))


def reports_together(
    *, before: Release | None, after: Release | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of two releases, on the same test sets: the sets change as more is known. Where they were
    never measured on the same, the latter's last report, and nothing of the former."""
    measured = measured_together(a=before, b=after) if before and after else None
    if measured is not None:
        return measured.a.report, measured.b.report
    last = latest_reports(release_ids=[after.pk]) if after else {}
    return {}, last.get(after.pk, {}) if after else {}


def champions_history() -> list[Evaluation]:
    """The last evaluation of each release that is or was champion, oldest release first."""
    rows = Evaluation.objects.filter(
        state=JobState.SUCCEEDED,
        release__state__in=[Release.State.CHAMPION, Release.State.RETIRED],
    ).select_related(*(f"release__{kind}" for kind in ModelKind.values))
    latest = {row.release_id: row for row in rows.order_by("pk")}
    return sorted(latest.values(), key=lambda row: row.release.number)[-HISTORY:]


def events() -> QuerySet[PromotionEvent]:
    return PromotionEvent.objects.select_related("release", "previous", "by")


def model_versions() -> QuerySet[ModelVersion]:
    return ModelVersion.objects.select_related("dataset", "parent", "run")


def evaluations() -> QuerySet[Evaluation]:
    return Evaluation.objects.select_related("release")


def scans() -> QuerySet[Scan]:
    return Scan.objects.select_related("release")
