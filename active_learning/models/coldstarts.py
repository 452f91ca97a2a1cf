"""Cold starts of new brands."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models import Brand


class ColdStart(models.Model):
    """A brand taken from its positives to a model that knows it: a training round, then rounds that
    ask about what the model takes for it. The rounds are `rounds`, and they are its progress."""

    class State(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="cold_starts")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    rounds_wanted = models.PositiveSmallIntegerField(help_text="that ask people")
    config = models.JSONField(
        default=dict, help_text="{budget, negatives_per_brand, hard_share, collect_seconds}"
    )
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["brand"], condition=Q(state="running"), name="cold_start_one_a_brand"
            )
        ]

    def __str__(self) -> str:
        return f"cold start of {self.brand}"
