"""Brands and what operations staff wrote about them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Brand(models.Model):
    class State(models.TextChoices):
        LISTED = "listed", "listed"  # a class of the models
        DRAFT = "draft", "draft"  # known by name, not yet recognised
        RETIRED = "retired", "retired"

    key = models.SlugField(max_length=80, unique=True, allow_unicode=True)
    name_en = models.CharField(max_length=120)
    name_zh = models.CharField(max_length=120, blank=True)
    aliases = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.LISTED)
    protected = models.BooleanField(
        default=False, help_text="its recall may not fall when a release is promoted"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.name_en


class GuidelineVersion(models.Model):
    """What one brand looks like, as labelers are shown it. A draft is written, put up for review
    and published, or goes back to being a draft. From then on it never changes (a trigger holds
    that)."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        REVIEW = "review", "in review"
        PUBLISHED = "published", "published"
        RETIRED = "retired", "retired"

    brand = models.ForeignKey(Brand, on_delete=models.PROTECT, related_name="guidelines")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT)
    rules = models.TextField(blank=True, help_text="Markdown")
    not_violations = models.TextField(
        blank=True, help_text="Markdown: what is not a violation, mass styles above all"
    )
    least_logo = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="shorter side of the smallest logo that counts, in pixels"
    )
    change_note = models.TextField(blank=True, help_text="what is new in it, for the history")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    edited_at = models.DateTimeField(default=timezone.now, editable=False)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    impact = models.JSONField(
        default=dict,
        blank=True,
        help_text="of publishing it, as decided: {labels, doubted, queued}",
    )
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["brand_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["brand", "number"], name="guideline_number_once"),
            models.UniqueConstraint(
                fields=["brand"], condition=Q(state="published"), name="guideline_one_published"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "review"]) | Q(published_at__isnull=False),
                name="guideline_published_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} v{self.number}"


class Feature(models.Model):
    """One recognition point of a brand."""

    class Kind(models.TextChoices):
        LOGO = "logo", "logo"
        WORDMARK = "wordmark", "wordmark"
        PATTERN = "pattern", "pattern"
        STYLE = "style", "style"
        DESIGN = "design", "design"

    version = models.ForeignKey(GuidelineVersion, on_delete=models.CASCADE, related_name="features")
    kind = models.CharField(max_length=12, choices=Kind)
    text = models.TextField(blank=True)
    registered = models.BooleanField(default=False, help_text="a registered mark or name")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["version_id", "position", "pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.text[:40]}"


class FeatureExample(models.Model):
    """An example picture of a feature with its red boxes."""

    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, related_name="examples")
    file = models.CharField(max_length=200, help_text="name in the default storage")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    regions = models.JSONField(default=list, help_text="[{x1, y1, x2, y2}] in pixels")

    class Meta:
        ordering = ["feature_id", "pk"]

    def __str__(self) -> str:
        return self.file
