"""What MLflow has been told of our runs."""

from django.db import models
from django.db.models.functions import Now

from active_learning.models.jobs import TrainingRun


class RunMirror(models.Model):
    """A training run as MLflow knows it. It is up to date while what was told is what is so; until
    then it is told again from `next_at` on."""

    run = models.OneToOneField(TrainingRun, on_delete=models.CASCADE, related_name="mirror")
    remote_id = models.CharField(max_length=64, blank=True)
    told_state = models.CharField(max_length=10, blank=True)
    told_release = models.PositiveIntegerField(default=0, help_text="its number; 0: none")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="since it last succeeded")
    next_at = models.DateTimeField(db_default=Now())
    error = models.TextField(blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"mirror of run {self.run_id}"
