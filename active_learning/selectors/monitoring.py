"""Reads of measurements and alerts."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Case, F, IntegerField, OuterRef, QuerySet, Subquery, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from active_learning.models import Alert, Measurement
from active_learning.monitoring_words import SHARES, Words, figure_text, sentence_of, words
from annotation.models import Brand

DAYS = 30  # in a chart
SHOWN = 8  # open alerts on the home page
# Of the brand that a subject is, null of any other.
BRAND_NAME = Subquery(Brand.objects.filter(key=OuterRef("subject")).values("name_en")[:1])


def latest() -> QuerySet[Measurement]:
    """The last measurement of each name and subject: alerts first, then what is known."""
    newest = (
        Measurement.objects.order_by("name", "subject", "-day")
        .distinct("name", "subject")
        .values("pk")
    )
    rank = Case(
        When(state=Measurement.State.ALERT, then=Value(0)),
        When(state=Measurement.State.OK, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    return (
        Measurement.objects.filter(pk__in=newest)
        .annotate(rank=rank, brand_name=BRAND_NAME)
        .order_by("rank", "name", "subject")
    )


@dataclass(frozen=True)
class Row:
    """A measure with its words and its last days: `points` are (day, value), oldest first."""

    last: Measurement
    words: Words
    value: str
    limit: str
    half: str
    points: list[tuple[str, float]]


def rows(*, page: Collection[Measurement]) -> list[Row]:
    """What the page shows of each measurement, as `latest` reads them. One query."""
    since = timezone.localdate() - timedelta(days=DAYS)
    days = Measurement.objects.filter(
        name__in={row.name for row in page},
        subject__in={row.subject for row in page},
        day__gte=since,
    )
    series: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for name, subject, day, value in days.order_by("day").values_list(
        "name", "subject", "day", "value"
    ):
        if value is not None:  # a day of which nothing could be measured
            series[name, subject].append((f"{day:%m-%d}", value))
    return [
        Row(
            last=row,
            words=words(row.name, row.subject, row.brand_name),  # type: ignore[attr-defined]
            value="–" if row.value is None else figure_text(row.name, row.value),
            limit="–" if row.limit is None else figure_text(row.name, row.limit),
            half=_half(row),
            points=series[row.name, row.subject],
        )
        for row in page
    ]


def _half(row: Measurement) -> str:
    """Half of the interval, as `±0.40%`; empty where there is none."""
    if row.low is None or row.high is None:
        return ""
    half = (row.high - row.low) / 2
    return f"±{100 * half:.2f}%" if row.name in SHARES else f"±{half:.3f}"


def alerts() -> QuerySet[Alert]:
    """Alerts with their deliveries: open ones nobody has acknowledged first, then other open ones,
    then the closed, newest first."""
    return (
        Alert.objects.select_related("acknowledged_by")
        .annotate(brand_name=BRAND_NAME)
        .prefetch_related("deliveries")
        .order_by("-state", F("acknowledged_at").asc(nulls_first=True), "-pk")
    )


@dataclass(frozen=True)
class AlertRow:
    alert: Alert
    words: Words
    text: str


def alert_rows(*, page: Collection[Alert]) -> list[AlertRow]:
    """Alerts as `alerts` reads them, in words."""
    return [
        AlertRow(
            alert,
            words(alert.name, alert.subject, alert.brand_name),  # type: ignore[attr-defined]
            sentence_of(alert, alert.brand_name),  # type: ignore[attr-defined]
        )
        for alert in page
    ]


def open_lines() -> list[str]:
    """Open alerts in one line each, for the home page; of many the first. One query."""
    is_open = alerts().filter(state=Alert.State.OPEN).prefetch_related(None)
    found = list(is_open[: SHOWN + 1])
    lines = []
    for row in alert_rows(page=found[:SHOWN]):
        line = row.text
        if row.alert.acknowledged_by is not None:
            who = row.alert.acknowledged_by.get_username()
            line = _("%(alert)s (%(who)s has acknowledged it)") % {"alert": line, "who": who}
        lines.append(line)
    if len(found) > SHOWN:
        lines.append(_("There are more alerts under Monitoring."))
    return lines
