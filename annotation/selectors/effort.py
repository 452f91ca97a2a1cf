"""What an answer costs here, measured: how many an item takes, and how long one takes."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Aggregate, Count, FloatField, Q

from annotation.models import Label


@dataclass(frozen=True)
class Effort:
    """Mean answers an item (1 before there are any) and median seconds an answer, None while no
    time is known."""

    answers: float = 1.0
    seconds: float | None = None


class _Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def effort(*, kinds: Iterable[str]) -> dict[str, Effort]:
    """By kind of task, over people's labels in force on anything but gold."""
    kinds = list(kinds)
    rows = (
        Label.objects.filter(
            Q(task__isnull=True) | Q(task__is_gold=False),
            superseded_by__isnull=True,
            retracted=False,
            source=Label.Source.LABELER,
            kind__in=kinds,
        )
        .order_by()
        .values("kind")
        .annotate(n=Count("pk"), images=Count("image", distinct=True), median=_Median("seconds"))
    )
    found = {row["kind"]: Effort(row["n"] / max(row["images"], 1), row["median"]) for row in rows}
    return {kind: found.get(kind, Effort()) for kind in kinds}
