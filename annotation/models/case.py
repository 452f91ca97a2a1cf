"""Precedents: how a doubtful image was decided, and why."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from annotation.models.brand import Brand, GuidelineVersion
from annotation.models.image import Image


class Case(models.Model):
    """One precedent. What it says is written once, when it is approved; a better one supersedes
    it, a double is merged into another, and both keep saying where they went."""

    class Kind(models.TextChoices):
        MASS_STYLE = "mass_style", "mass style"
        KNOCK_OFF = "knock_off", "knock-off"
        RECOGNISABILITY = "recognisability", "recognisability"
        SMEAR = "smear", "smear or cover"
        OTHER = "other", "other"

    class Verdict(models.TextChoices):
        BRAND = "brand", "it is this brand"
        NONE = "none", "no brand"
        OTHER = "other", "a brand not on the list"

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        SUPERSEDED = "superseded", "superseded"
        MERGED = "merged", "merged"
        RETIRED = "retired", "retired"

    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="cases")
    region = models.JSONField(
        null=True, blank=True, help_text="{x1, y1, x2, y2} in pixels; null = the whole picture"
    )
    kind = models.CharField(max_length=16, choices=Kind)
    brand = models.ForeignKey(
        Brand,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="cases",
        help_text="the brand in question, whatever the verdict",
    )
    verdict = models.CharField(max_length=10, choices=Verdict)
    reason = models.TextField()
    guideline = models.ForeignKey(
        GuidelineVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="cases"
    )
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    replaced_by = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="replaces"
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    words = SearchVectorField(
        null=True, help_text="words and character bigrams of reason and brand names"
    )

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["brand", "state"]),
            models.Index(fields=["kind", "verdict"]),
            GinIndex(fields=["words"], name="case_words"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(verdict="brand") | Q(brand__isnull=False),
                name="case_brand_fits_verdict",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["superseded", "merged"], replaced_by__isnull=False)
                | (~Q(state__in=["superseded", "merged"]) & Q(replaced_by__isnull=True)),
                name="case_says_where_it_went",
            ),
        ]

    def __str__(self) -> str:
        return f"case {self.pk}: {self.kind}"
