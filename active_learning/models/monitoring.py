"""What is measured day by day, the alerts that follow, and the word sent of them."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Measure(models.TextChoices):
    SCORE_STABILITY = "score_stability", "score stability"
    SCORE_SHIFT = "score_shift", "score shift"
    EMBEDDING_DRIFT = "embedding_drift", "embedding drift"
    FLAG_RATIO = "flag_ratio", "flag ratio"
    OVERRIDE_RATE = "override_rate", "override rate"
    QUEUE_AGE = "queue_age", "queue age"
    ANSWER_TIME = "answer_time", "time to answer"


class Measurement(models.Model):
    """One figure of one day. Measured again that day, the row is updated."""

    class State(models.TextChoices):
        OK = "ok", "ok"
        ALERT = "alert", "alert"
        UNKNOWN = "unknown", "unknown"  # too few to say

    name = models.CharField(max_length=20, choices=Measure)
    subject = models.CharField(
        max_length=80, blank=True, help_text="a model, brand key or queue; empty: all together"
    )
    day = models.DateField()
    value = models.FloatField(
        null=True, blank=True, help_text="a share, a distance, or hours; null: nothing to measure"
    )
    low = models.FloatField(null=True, blank=True, help_text="of its 95% interval")
    high = models.FloatField(null=True, blank=True)
    n = models.PositiveIntegerField(help_text="how many it is measured on")
    limit = models.FloatField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State)
    scan = models.ForeignKey(
        "active_learning.Scan",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="measurements",
        help_text="what it was read from, where that was a scan",
    )
    measured_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-day", "name", "subject"]
        indexes = [models.Index(fields=["state", "name"])]
        constraints = [
            models.UniqueConstraint(fields=["name", "subject", "day"], name="measured_once_a_day"),
            models.CheckConstraint(
                condition=Q(state="unknown") | (Q(value__isnull=False) & Q(limit__isnull=False)),
                name="measurement_judged_has_value",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.subject} {self.day}".replace("  ", " ")


class Alert(models.Model):
    """A measure past its limit, until it is back. `value` and `limit` are the last measured."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        CLOSED = "closed", "closed"

    name = models.CharField(max_length=20, choices=Measure)
    subject = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=6, choices=State, default=State.OPEN)
    value = models.FloatField()
    limit = models.FloatField()
    opened_at = models.DateTimeField(auto_now_add=True)
    measured_at = models.DateTimeField(help_text="the last time that its measure said anything")
    closed_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, help_text="what whoever acknowledged it is doing about it")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "subject"], condition=Q(state="open"), name="alert_once_open"
            ),
            models.CheckConstraint(
                condition=Q(state="open") | Q(closed_at__isnull=False), name="alert_closed_has_time"
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_at__isnull=True) | Q(acknowledged_by__isnull=False),
                name="alert_acknowledged_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.subject}".strip()


class Delivery(models.Model):
    """Word of an alert's opening or closing by one channel, sent at least once. The row is the
    truth and not the broker: what is due and unsent is found by a sweep."""

    class Channel(models.TextChoices):
        WEBHOOK = "webhook", "webhook"
        EMAIL = "email", "e-mail"

    class Event(models.TextChoices):
        OPENED = "opened", "opened"
        CLOSED = "closed", "closed"

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        DONE = "done", "done"
        FAILED = "failed", "failed"  # given up

    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="deliveries")
    channel = models.CharField(max_length=7, choices=Channel)
    event = models.CharField(max_length=6, choices=Event)
    payload = models.JSONField(help_text="what is said, as it stood when it happened")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, help_text="of the last attempt")
    due_at = models.DateTimeField(help_text="not tried before")
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="delivery_waiting")
        ]
        constraints = [
            models.UniqueConstraint(fields=["alert", "channel", "event"], name="delivery_once"),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(delivered_at__isnull=False),
                name="delivery_done_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.alert} {self.event}"
