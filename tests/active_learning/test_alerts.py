"""When alerts open and close, and what acknowledging one says."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from active_learning import alerts
from active_learning.models import Alert, Measurement
from annotation.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(django_user_model):
    return django_user_model.objects.create(username="lin")


def measured(value, *, state=None, subject="flags", limit=10.0) -> Measurement:
    """As it would be written today."""
    state = state or ("alert" if value > limit else "ok")
    row, _ = Measurement.objects.update_or_create(
        name="queue_age", subject=subject, day=timezone.localdate(),
        defaults={"value": value, "limit": limit, "n": 3, "state": state},
    )  # fmt: skip
    return row


def follow(*values) -> list[str]:
    """States of all alerts after each of the values."""
    seen = []
    for value in values:
        alerts.follow(measurement=measured(value))
        seen.append(" ".join(Alert.objects.order_by("pk").values_list("state", flat=True)))
    return seen


def test_one_opens_past_the_limit_and_closes_well_below_it():
    assert follow(9.5, 10.1, 12, 9.8, 9.1, 9.0) == ["", *["open"] * 4, "closed"]
    assert follow(9.5, 11) == ["closed", "closed open"]


def test_it_shows_what_was_measured_last():
    follow(12, 11.5)
    alert = Alert.objects.get()
    assert (alert.value, alert.limit) == (11.5, 10)
    assert alert.closed_at is None


def test_what_cannot_be_said_changes_nothing():
    alerts.follow(measurement=measured(50.0, state="unknown"))
    assert not Alert.objects.exists()
    follow(12)
    alerts.follow(measurement=measured(None, state="unknown"))
    assert Alert.objects.get().state == "open"


def test_there_is_one_open_alert_a_name_and_subject():
    follow(12, 13)
    alerts.follow(measurement=measured(12, subject="questions"))
    assert Alert.objects.count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.create(
            name="queue_age", subject="flags", value=1, limit=1, measured_at=timezone.now()
        )


def test_a_measure_that_falls_silent_closes_its_alert():
    follow(12)
    assert alerts.close_silent() == 0
    Alert.objects.update(measured_at=timezone.now() - timedelta(days=31))
    assert alerts.close_silent() == 1
    assert Alert.objects.get().closed_at is not None


def test_acknowledging_says_who_and_why_and_leaves_it_open(person):
    follow(12)
    alerts.acknowledge(alert=Alert.objects.get(), by=person, note=" more reviewers from Monday ")
    alert = Alert.objects.get()
    assert (alert.state, alert.acknowledged_by, alert.note) == (
        "open", person, "more reviewers from Monday",
    )  # fmt: skip
    entry = AuditEntry.objects.get(subject_type="alert")
    assert (entry.action, entry.subject, entry.by) == ("acknowledge", "queue_age flags", person)
    assert entry.why == "more reviewers from Monday"
    follow(8)
    assert Alert.objects.get().state == "closed"


def test_acknowledging_is_refused_without_a_note_twice_and_when_it_is_over(person):
    follow(12)
    alert = Alert.objects.get()
    with pytest.raises(alerts.AlertError, match="what is being done"):
        alerts.acknowledge(alert=alert, by=person, note="  ")
    alerts.acknowledge(alert=alert, by=person, note="on it")
    with pytest.raises(alerts.AlertError, match="lin has acknowledged"):
        alerts.acknowledge(alert=alert, by=person, note="me too")
    follow(1)
    with pytest.raises(alerts.AlertError, match="closed"):
        alerts.acknowledge(alert=alert, by=person, note="late")
    assert AuditEntry.objects.filter(action="acknowledge").count() == 1
