"""Monitoring's side of `tests.demo_rows`: a month of measurements, and alerts with their word."""

import random
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from active_learning.models import Alert, Delivery, Measure, Measurement
from active_learning.monitoring_words import QUEUES
from annotation.models import Brand

DAYS = 30
PAST = {(Measure.FLAG_RATIO, ""), (Measure.QUEUE_AGE, "questions")}


def make_monitoring(rng: random.Random, brands: Sequence[Brand]) -> None:
    series = [
        (Measure.SCORE_STABILITY, "classifier", 0.25), (Measure.SCORE_SHIFT, "classifier", 0.1),
        (Measure.SCORE_STABILITY, "detector", 0.25), (Measure.SCORE_SHIFT, "detector", 0.1),
        (Measure.EMBEDDING_DRIFT, "classifier", 0.6), (Measure.FLAG_RATIO, "", 0.01),
        (Measure.OVERRIDE_RATE, "", 0.5), (Measure.ANSWER_TIME, "questions", 24),
        *((Measure.OVERRIDE_RATE, brand.key, 0.5) for brand in brands),
        *((Measure.QUEUE_AGE, name, 72) for name in QUEUES),
    ]  # fmt: skip
    today = timezone.localdate()
    rows = []
    for name, subject, limit in series:
        for back in range(DAYS):
            is_past = (name, subject) in PAST and back < 3
            value = limit * (1.4 if is_past else rng.uniform(0.2, 0.8))
            share = name in (Measure.FLAG_RATIO, Measure.OVERRIDE_RATE)
            rows.append(
                Measurement(
                    name=name, subject=subject, day=today - timedelta(days=back), value=value,
                    low=0.8 * value if share else None, high=1.2 * value if share else None,
                    n=rng.randint(120, 900), limit=limit, measured_at=timezone.now(),
                    state="alert" if is_past else "ok",
                )
            )  # fmt: skip
    Measurement.objects.bulk_create(rows)
    for number, (name, subject, limit) in enumerate(series):
        is_open = (name, subject) in PAST
        if is_open or number < 6:
            _make_alert(name, subject, limit, is_open=is_open)


def _make_alert(name: str, subject: str, limit: float, *, is_open: bool) -> None:
    now = timezone.now()
    alert = Alert.objects.create(
        name=name, subject=subject, value=1.4 * limit, limit=limit, measured_at=now,
        state="open" if is_open else "closed", closed_at=None if is_open else now,
    )  # fmt: skip
    for event in ("opened",) if is_open else ("opened", "closed"):
        Delivery.objects.create(
            alert=alert, channel="webhook", event=event, payload={}, due_at=now, attempts=1,
            state="failed" if is_open else "done", delivered_at=None if is_open else now,
            error="answered 404" if is_open else "",
        )  # fmt: skip
