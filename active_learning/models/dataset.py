"""Frozen training material."""

from django.db import models


class DatasetVersion(models.Model):
    """A manifest written once. Its hash is that of its sorted rows, so the same labels give the
    same version whatever order they arrived in."""

    sha256 = models.CharField(max_length=64, unique=True)
    path = models.CharField(max_length=500, help_text="the manifest, under the data folder")
    rows = models.PositiveIntegerField()
    counts = models.JSONField(default=dict, help_text="by split, answer, source, brand")
    brands = models.JSONField(default=list, help_text="brand keys on the list when frozen")
    labels_until = models.BigIntegerField(default=0, help_text="highest label id it may hold")
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.sha256[:12]
