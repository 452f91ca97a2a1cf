"""Frozen training material."""

from django.db import models


class DatasetVersion(models.Model):
    """A manifest written once. Its hash is that of its sorted rows, so the same labels give the
    same version whatever order they arrived in."""

    sha256 = models.CharField(max_length=64, unique=True)
    path = models.CharField(max_length=500, help_text="the manifest, under the data folder")
    rows = models.PositiveIntegerField()
    counts = models.JSONField(
        default=dict, help_text="by split, answer, source, brand, origin, guideline"
    )
    brands = models.JSONField(default=list, help_text="brand keys on the list when frozen")
    labels_until = models.BigIntegerField(default=0, help_text="highest label id it may hold")
    lineage_sha256 = models.CharField(
        max_length=64,
        blank=True,
        help_text="hash and name of the file that says which labels each row came from; empty where"
        " none was kept",
    )
    changes = models.JSONField(
        default=dict,
        help_text="against the parent: {added, removed, answers, boxes, variation, split: rows,"
        " examples}; empty where there is none to compare with",
    )
    left_out = models.JSONField(
        default=list,
        blank=True,
        help_text="weak labels that trained nothing: [{source, brand, rows, why: sentence}]",
    )
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.sha256[:12]


class DatasetCoverage(models.Model):
    """Up to which label a dataset version says all that is known, where labels that came after it
    was frozen changed nothing. Beside the version, which never changes."""

    dataset = models.OneToOneField(
        DatasetVersion, on_delete=models.PROTECT, primary_key=True, related_name="coverage"
    )
    labels_until = models.BigIntegerField(help_text="highest label id")

    def __str__(self) -> str:
        return f"{self.dataset} until label {self.labels_until}"
