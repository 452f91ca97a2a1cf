"""Releases tried beside the champion on what comes in."""

from django.conf import settings
from django.db import models

from active_learning.models.jobs import Scan
from active_learning.models.registry import Release


class Shadow(models.Model):
    """A release in shadow: when its hours are over, it and the champion scan the images that came
    in since it was made. `report` is what came of it, see `active_learning.shadow_figures`."""

    class State(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"

    release = models.OneToOneField(Release, on_delete=models.PROTECT, related_name="shadow")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    ends_at = models.DateTimeField()
    champion = models.ForeignKey(
        Release,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="whom it was compared with",
    )
    own_scan = models.ForeignKey(
        Scan, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    champions_scan = models.ForeignKey(
        Scan, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    report = models.JSONField(default=dict, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="none: the setting",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"shadow of {self.release}"
