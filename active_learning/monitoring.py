"""Measuring, day by day: drift of what comes in, flags against their budget, how often reviewers
overrule the models, and how long queues wait.

Nothing here says how right the models are: a model does not grade itself, and the flags reviewers
see are not drawn at random. Precision comes from the probes alone (`active_learning.estimates`).

A day measured again is updated, not doubled. What is read from a scan belongs to the day of that
scan and is read once a scan; the rest is of today.
"""

from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from active_learning import alerts
from active_learning.fresh import Day, Sides, newest_scan, read_sides
from active_learning.models import Measure, Measurement, Scan
from active_learning.selectors.queues import queues
from annotation.locks import advisory_lock
from annotation.selectors.questions import figures as question_figures
from annotation.selectors.review import yields
from ml.drift import Drift, score_shift, stability_index, told_apart
from ml.evaluate.intervals import Figure, share_of

LEAST_VERDICTS = 20  # of fewer the override rate says nothing
LEAST_ANSWERS = 5
LOCK = "monitoring"


def measure() -> list[Measurement]:
    """Measure all that is due, and open or close alerts by it. One caller at a time; another
    leaves it to that."""
    with advisory_lock(LOCK) as free:
        if not free:
            return []
        measured = [*measure_queues(), *measure_verdicts()]
        alerts.close_silent()
        scan = newest_scan()
        if scan is not None and not scan.measurements.exists():
            measured += measure_scan(scan=scan)
        return measured


@transaction.atomic
def measure_queues() -> list[Measurement]:
    """The age of the oldest in each queue, and how long answering questions took, in hours."""
    now, today = timezone.now(), timezone.localdate()
    found = [
        _write(
            Measure.QUEUE_AGE, queue.name, today,
            value=queue.age(now), limit=queue.hours, n=queue.waiting,
        )
        for queue in queues()
    ]  # fmt: skip
    asked = question_figures()
    took = _write(
        Measure.ANSWER_TIME, "questions", today,
        value=None if asked["median"] is None else asked["median"] / 3600,
        limit=settings.MONITORING_QUESTION_HOURS,
        n=asked["answered"], least=LEAST_ANSWERS,
    )  # fmt: skip
    return _followed([*found, took])


@transaction.atomic
def measure_verdicts() -> list[Measurement]:
    """How often reviewers changed what was proposed, over all brands and by brand, of the flags
    decided in the last MONITORING_FRESH_DAYS days."""
    since = timezone.now() - timedelta(days=settings.MONITORING_FRESH_DAYS)
    total, brands = yields(since=since)
    return _followed(
        [
            _write_share(
                Measure.OVERRIDE_RATE, row.brand.key if row.brand else "", timezone.localdate(),
                row.override_rate, limit=settings.MONITORING_OVERRIDE_LIMIT, least=LEAST_VERDICTS,
            )
            for row in [total, *brands]
        ]
    )  # fmt: skip


def measure_scan(*, scan: Scan) -> list[Measurement]:
    """Drift of fresh images against the pool before, and the flag ratio of each fresh day.

    Raises:
        JobError, OSError: the scan's shards cannot be read.
    """
    sides = read_sides(scan)
    drifts = _drifts(sides)
    day = timezone.localdate(scan.created_at)
    # At once with what follows: a scan of which something is written counts as measured.
    with transaction.atomic():
        found = [
            _write_drift(name, subject, day, drift, scan=scan, n=n)
            for name, subject, drift, n in drifts
        ]
        ratios = [_write_ratio(scan, day, rows) for day, rows in sorted(sides.days.items())]
        known = [row for row in ratios if row.state != Measurement.State.UNKNOWN]
        # Of several days only the last that says something moves an alert.
        _followed([*found, *known[-1:]])
    return [*found, *ratios]


def _drifts(sides: Sides) -> list[tuple[str, str, Drift | None, int]]:
    """(measure, model, what it says, fresh rows it is of). The embeddings are always there, if
    only to say that nothing can be said."""
    least = settings.MONITORING_LEAST_IMAGES
    found: list[tuple[str, str, Drift | None, int]] = []
    for model in sides.models:
        before, fresh = sides.before.scores_of(model), sides.fresh.scores_of(model)
        found += [
            (name, model, of(before, fresh, least=least), len(fresh))
            for name, of in (
                (Measure.SCORE_STABILITY, stability_index),
                (Measure.SCORE_SHIFT, score_shift),
            )
        ]
    before, fresh = sides.embeddings()
    apart = told_apart(before, fresh, least=least)
    return [*found, (Measure.EMBEDDING_DRIFT, "classifier", apart, len(fresh))]


def _write_ratio(scan: Scan, day: date, rows: Day) -> Measurement:
    """The share of a day's images that any model flags, before licences. A later scan has lost
    those that people have answered, mostly flagged ones: it counts only where it saw as many."""
    flagged = rows.flagged
    fuller = Measurement.objects.filter(
        name=Measure.FLAG_RATIO, subject="", day=day, n__gt=len(flagged)
    ).first()
    if fuller is not None:
        return fuller
    ratio = share_of(flagged, rows.groups)
    return _write_share(
        Measure.FLAG_RATIO, "", day, ratio,
        limit=settings.FLAG_RATIO_BUDGET, least=settings.MONITORING_LEAST_IMAGES, scan=scan,
    )  # fmt: skip


def _write_share(
    name: str, subject: str, day: date, share: Figure | None, *,
    limit: float, least: int, scan: Scan | None = None,
) -> Measurement:  # fmt: skip
    """A share is past its limit when the lower end of its interval is."""
    if share is None:
        return _write(name, subject, day, value=None, limit=limit, n=0, least=least, scan=scan)
    return _write(
        name, subject, day, value=share.value, low=share.low, high=share.high, limit=limit,
        n=share.n or 0, least=least, judged_by=share.low, scan=scan,
    )  # fmt: skip


def _write_drift(
    name: str, subject: str, day: date, drift: Drift | None, *, scan: Scan, n: int
) -> Measurement:
    if drift is None:
        return _write(name, subject, day, value=None, limit=None, n=n, scan=scan)
    return _write(
        name, subject, day, value=drift.value, low=drift.low, high=drift.high, limit=drift.limit,
        n=drift.n, scan=scan,
    )  # fmt: skip


def _write(
    name: str, subject: str, day: date, *,
    value: float | None, limit: float | None, n: int,
    low: float | None = None, high: float | None = None,
    least: int = 0, judged_by: float | None = None, scan: Scan | None = None,
) -> Measurement:  # fmt: skip
    """Write a day's figure, or write it anew. `judged_by` is held against the limit in place of
    the value."""
    judged = value if judged_by is None else judged_by
    if judged is None or limit is None or n < least:
        state = Measurement.State.UNKNOWN
    else:
        state = Measurement.State.ALERT if judged > limit else Measurement.State.OK
    figures = {"value": value, "low": low, "high": high, "n": n, "limit": limit}
    row, _made = Measurement.objects.update_or_create(
        name=name, subject=subject, day=day, defaults=figures | {"state": state, "scan": scan}
    )
    return row


def _followed(measured: list[Measurement]) -> list[Measurement]:
    for measurement in measured:
        alerts.follow(measurement=measurement)
    return measured
