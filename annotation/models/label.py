"""What people answered. Labels are append-only; the consensus is derived from them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from annotation.models.brand import Brand, GuidelineVersion
from annotation.models.image import Image
from annotation.models.task import Task


class Answer(models.TextChoices):
    BRAND = "brand", "brand"
    NONE = "none", "no brand"
    OTHER = "other", "a brand not on the list"
    UNSURE = "unsure", "unsure"


class Variation(models.TextChoices):
    NONE = "none", "none"
    COLLAGE = "collage", "collage"
    STACK = "stack", "stack"


class Risk(models.TextChoices):
    COUNTERFEIT = "counterfeit", "suspected counterfeit"
    INFRINGEMENT = "infringement", "infringement"
    SMEAR = "smear", "smear or cover"
    KNOCK_OFF = "knock_off", "knock-off"


class Label(models.Model):
    """One answer of one person (or of an import), never edited: a correction is a new row that
    names the one it supersedes. A trigger in the first migration refuses UPDATE and DELETE."""

    class Source(models.TextChoices):
        LABELER = "labeler", "labeler"
        IMPORT = "import", "import"
        AUDIT = "audit", "audit"

    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="labels")
    kind = models.CharField(max_length=10, choices=Task.Kind)
    task = models.ForeignKey(
        Task, on_delete=models.PROTECT, null=True, blank=True, related_name="labels"
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="labels",
    )
    source = models.CharField(max_length=10, choices=Source)
    guideline = models.ForeignKey(
        GuidelineVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    proposal_shown = models.BooleanField(default=False)

    answer = models.CharField(max_length=10, choices=Answer, blank=True)
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="labels"
    )
    excluded = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    risk = models.CharField(max_length=12, choices=Risk, blank=True)
    attack = models.CharField(max_length=30, blank=True)
    has_logo = models.BooleanField(null=True, blank=True)
    boxes = models.JSONField(
        null=True, blank=True, help_text="[{x1, y1, x2, y2, brand}] in pixels; [] = none there"
    )
    variation = models.CharField(max_length=10, choices=Variation, blank=True)
    question = models.TextField(blank=True)
    # A deletion in Label Studio is a row too: it supersedes and says nothing.
    retracted = models.BooleanField(default=False)

    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    remote_id = models.BigIntegerField(null=True, blank=True, help_text="annotation id")
    remote_hash = models.CharField(
        max_length=64, blank=True, help_text="of the answer as received: one write a revision"
    )
    seconds = models.FloatField(null=True, blank=True, help_text="time spent, as reported")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["image", "kind"]), models.Index(fields=["-created_at"])]
        constraints = [
            models.CheckConstraint(
                condition=(Q(answer="brand") & Q(brand__isnull=False))
                | (~Q(answer="brand") & Q(brand__isnull=True)),
                name="label_brand_fits_answer",
            ),
            # One line of succession an annotation: a first row, then each superseding the last.
            models.UniqueConstraint(
                fields=["remote_id"],
                condition=Q(supersedes__isnull=True),
                name="label_remote_id_first_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.answer or self.variation or self.boxes}"


class Consensus(models.Model):
    """What training reads: one row an image and kind, recomputed from its labels."""

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="consensus")
    kind = models.CharField(max_length=10, choices=Task.Kind)
    answer = models.CharField(max_length=10, choices=Answer, blank=True)
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    excluded = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    risk = models.CharField(max_length=12, choices=Risk, blank=True)
    attack = models.CharField(max_length=30, blank=True)
    has_logo = models.BooleanField(null=True, blank=True)
    boxes = models.JSONField(null=True, blank=True)
    variation = models.CharField(max_length=10, choices=Variation, blank=True)
    votes = models.PositiveSmallIntegerField()
    agreement = models.FloatField(help_text="share of the votes for the answer")
    posterior = models.FloatField(
        null=True, blank=True, help_text="probability of the answer, given who gave which answers"
    )
    trusted = models.BooleanField()
    decided_by = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "kind"], name="consensus_once"),
        ]
        indexes = [models.Index(fields=["kind", "trusted", "updated_at"])]

    def __str__(self) -> str:
        return f"{self.kind}: {self.answer or self.variation or self.boxes}"
