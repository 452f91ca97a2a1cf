"""Where images come from, and each time they were taken in."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from active_learning.models.jobs import Job
from annotation.models import Brand, Image, IngestBatch


class Source(models.Model):
    """A place that images come from. Its images carry its name as their `source`, so it is never
    renamed; images taken in by hand under the same name are its too."""

    class Kind(models.TextChoices):
        PRODUCT_TABLE = "product_table", "product table"
        PENALISED = "penalised", "penalised products"
        REVIEWS = "reviews", "review images"
        KEYWORDS = "keywords", "keyword search"
        FLAGSHIP = "flagship", "flagship store"

    class Connector(models.TextChoices):
        FOLDER = "folder", "folder"
        CSV = "csv", "CSV file"
        S3 = "s3", "S3 bucket"
        HTTP = "http", "list on the web"

    class Split(models.TextChoices):
        POOL = Image.Split.POOL.value, "pool"
        TRAIN = Image.Split.TRAIN.value, "train"

    class WeakAnswer(models.TextChoices):
        NOTHING = "", "nothing"
        BRAND = "brand", "its brand"
        NONE = "none", "no brand"
        OTHER = "other", "a brand not on the list"

    class Trust(models.TextChoices):
        MEASURED = "measured", "as measured"
        ALWAYS = "always", "always"
        NEVER = "never", "only once looked at"

    name = models.SlugField(max_length=40, unique=True)
    kind = models.CharField(max_length=14, choices=Kind)
    connector = models.CharField(max_length=8, choices=Connector)
    place = models.JSONField(
        default=dict, help_text="{path} | {bucket, prefix, secret} | {url, secret}"
    )
    split = models.CharField(
        max_length=10,
        choices=Split,
        default=Split.POOL,
        help_text="pool: people are asked first; train: weak labels train as they are",
    )
    brand = models.ForeignKey(
        Brand, on_delete=models.PROTECT, null=True, blank=True, related_name="sources"
    )
    weak_answer = models.CharField(
        max_length=12, choices=WeakAnswer, blank=True, help_text="where it says nothing itself"
    )
    schedule = models.CharField(max_length=100, default="once", help_text="once, or a crontab line")
    enabled = models.BooleanField(default=True)
    trust = models.CharField(max_length=8, choices=Trust, default=Trust.MEASURED)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(weak_answer="brand") | Q(brand__isnull=False),
                name="source_weak_brand_is_named",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SourceRun(Job):
    """One taking in of a source. Its images and what was refused are those of its batch."""

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", "schedule"
        PERSON = "person", "person"

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="runs")
    batch = models.OneToOneField(
        IngestBatch, on_delete=models.PROTECT, null=True, blank=True, related_name="source_run"
    )
    trigger = models.CharField(max_length=10, choices=Trigger)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(state__in=["queued", "running"]),
                name="source_one_run_at_a_time",
            )
        ]
