"""What reviewers look at: products the models flagged, and risks that were missed."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.brand import Brand
from annotation.models.catalogue import Product
from annotation.models.image import Image
from annotation.models.label import Label, Risk


class Flag(models.Model):
    """One image that a release's models flagged for a brand. A verdict is a label of source
    `audit`; copies decided along with another image name that image's flag or label."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        CONFIRMED = "confirmed", "confirmed"
        CORRECTED = "corrected", "corrected"
        WITHDRAWN = "withdrawn", "withdrawn"  # a later release flags it no more

    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="flags")
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, blank=True, related_name="flags"
    )
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="flags")
    score = models.FloatField()
    risk = models.CharField(
        max_length=12, choices=Risk, blank=True, help_text="proposed; empty when licensed"
    )
    severity = models.FloatField(help_text="what the queue is sorted by, worst first")
    evidence = models.JSONField(
        default=dict,
        help_text="{scores: {model: score}, boxes, licensed, price, usual_price, price_ratio, why}",
    )
    release = models.CharField(max_length=40, help_text="the release that flagged it")
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    verdict = models.ForeignKey(
        Label, on_delete=models.PROTECT, null=True, blank=True, related_name="flags"
    )
    copied_from = models.ForeignKey(
        Image, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-severity", "pk"]
        indexes = [
            models.Index(fields=["state", "-severity"]),
            models.Index(fields=["brand", "state"]),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["image", "brand"], condition=Q(state="open"), name="flag_once_open"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["confirmed", "corrected"]) | Q(verdict__isnull=False),
                name="flag_decided_has_verdict",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} {self.score:.2f}"


class MissedRisk(models.Model):
    """A risk that the models had let through and somebody found: by complaint or by audit. Found
    after the cut-off date it is a test of them, before it material."""

    class Channel(models.TextChoices):
        COMPLAINT = "complaint", "complaint"
        AUDIT = "audit", "audit"

    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="missed_risks")
    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="missed_risks")
    channel = models.CharField(max_length=10, choices=Channel)
    risk = models.CharField(max_length=12, choices=Risk)
    has_logo = models.BooleanField(null=True, blank=True)
    found_on = models.DateField()
    note = models.TextField(blank=True)
    label = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="+")
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-found_on", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["image", "brand"], name="missed_risk_once"),
        ]

    def __str__(self) -> str:
        return f"{self.brand} missed, found {self.found_on}"


class ImageCopy(models.Model):
    """Two images of which one is a modified copy of the other (cropped, resized, recoloured,
    mirrored, bordered), as found and verified; which came first is not said."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="copies")
    other = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="copies_of")
    change = models.CharField(max_length=40, help_text="what was seen to be done to it")
    similarity = models.FloatField(help_text="0 to 1")
    found_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-similarity"]
        constraints = [
            models.UniqueConstraint(fields=["image", "other"], name="copy_once"),
            models.CheckConstraint(
                condition=Q(image__lt=models.F("other")), name="copy_ordered_pair"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image} ~ {self.other}"
