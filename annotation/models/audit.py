"""Who changed what. Append-only: a trigger refuses UPDATE and DELETE."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models


class AuditEntry(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="null: the platform itself",
    )
    action = models.CharField(max_length=40, help_text="a verb: publish, hold, send_back, …")
    subject_type = models.CharField(max_length=40, help_text="model name, lower case")
    subject_id = models.CharField(max_length=64)
    subject = models.CharField(max_length=200, help_text="what it is called")
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    why = models.TextField(blank=True)
    words = SearchVectorField(null=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["subject_type", "subject_id"]),
            models.Index(fields=["by", "-at"]),
            models.Index(fields=["action"]),
            GinIndex(fields=["words"], name="audit_words"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
