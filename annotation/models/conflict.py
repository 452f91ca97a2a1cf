"""Cases that contradict each other."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from annotation.models.case import Case


class CaseConflict(models.Model):
    """Two cases on near-identical images that decide differently, as found. It is settled when
    one of them is no longer active, or when a person says that both stand."""

    first = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="+")
    similarity = models.FloatField(
        null=True, blank=True, help_text="cosine; null: known to be of one group only"
    )
    found_at = models.DateTimeField(auto_now_add=True)
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    why = models.TextField(blank=True, help_text="why both stand")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="conflict_once"),
            models.CheckConstraint(
                condition=Q(first_id__lt=F("second_id")), name="conflict_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"cases {self.first_id} and {self.second_id}"
