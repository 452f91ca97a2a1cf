"""Alerts: opened by a measure past its limit, closed when it is well back, acknowledged by people.

An alert opens when a measurement is past its limit: a share by the lower end of its interval,
anything else by its value. It closes only at BACK of the limit or below, so that a figure that
swings about the limit makes one alert and not one a day. A measurement that cannot say anything
changes nothing; a measure that has said nothing for SILENT closes too: a brand no longer reviewed.
"""

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from active_learning import deliveries
from active_learning.models import Alert, Delivery, Measurement
from annotation import audit

BACK = 0.9  # of the limit
SILENT = timedelta(days=30)


class AlertError(Exception):
    """What was asked of an alert cannot be done, in words for the person."""


@transaction.atomic
def follow(*, measurement: Measurement) -> Alert | None:
    """Open, renew or close the alert of a measurement's name and subject. Again: nothing new.
    Returns the alert that is open or was just closed."""
    value, limit = measurement.value, measurement.limit
    if measurement.state == Measurement.State.UNKNOWN or value is None or limit is None:
        return None
    of_it = Alert.objects.filter(name=measurement.name, subject=measurement.subject)
    alert = of_it.filter(state=Alert.State.OPEN).select_for_update().first()
    if alert is None and measurement.state != Measurement.State.ALERT:
        return None
    figures = {"value": value, "limit": limit, "measured_at": timezone.now()}
    if alert is None:
        alert = Alert.objects.create(name=measurement.name, subject=measurement.subject, **figures)
        deliveries.announce(alert=alert, event=Delivery.Event.OPENED)
        return alert
    for name, figure in figures.items():
        setattr(alert, name, figure)
    alert.save(update_fields=list(figures))
    if measurement.state == Measurement.State.OK and value <= BACK * limit:
        _close(alert)
    return alert


@transaction.atomic
def close_silent() -> int:
    """Close the alerts whose measure says nothing any more; returns how many."""
    silent = Alert.objects.filter(
        state=Alert.State.OPEN, measured_at__lt=timezone.now() - SILENT
    ).select_for_update()
    for alert in silent:
        _close(alert)
    return len(silent)


def _close(alert: Alert) -> None:
    alert.state, alert.closed_at = Alert.State.CLOSED, timezone.now()
    alert.save(update_fields=["state", "closed_at"])
    deliveries.announce(alert=alert, event=Delivery.Event.CLOSED)


@transaction.atomic
def acknowledge(*, alert: Alert, by: User, note: str) -> Alert:
    """Say that somebody has seen an open alert, and what is being done. It stays open until its
    measure is back.

    Raises:
        AlertError: no note, or the alert is closed or acknowledged already.
    """
    note = note.strip()
    if not note:
        raise AlertError(_("Say what is being done about it."))
    current = Alert.objects.select_for_update(of=("self",)).select_related("acknowledged_by")
    alert = current.get(pk=alert.pk)
    if alert.state != Alert.State.OPEN:
        raise AlertError(_("This alert is closed: its measure is back within its limit."))
    if alert.acknowledged_by is not None:
        who = alert.acknowledged_by.get_username()
        raise AlertError(_("%(who)s has acknowledged this already.") % {"who": who})
    alert.acknowledged_by, alert.acknowledged_at, alert.note = by, timezone.now(), note
    alert.save(update_fields=["acknowledged_by", "acknowledged_at", "note"])
    audit.note(
        action="acknowledge",
        subject=alert,
        by=by,
        before={"acknowledged by": None},
        after={"acknowledged by": by.get_username()},
        why=note,
    )
    return alert
