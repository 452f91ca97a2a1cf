"""Work done by a child process `python -m ml …` that a Celery task supervises.

The row is the handle and its lease the truth: whoever holds `lease` and renews `heartbeat_at`
runs the job; a sweep hands lapsed ones out again. The broker may deliver twice or never.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from active_learning.models.dataset import DatasetVersion
from active_learning.models.registry import ModelKind, ModelVersion, Release
from annotation.models import EmbeddingSpace, Image


class JobState(models.TextChoices):
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    SUCCEEDED = "succeeded", "succeeded"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class Job(models.Model):
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    lease = models.UUIDField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    machine = models.CharField(
        max_length=120, blank=True, help_text="host name of whoever runs it, or ran it last"
    )
    device = models.CharField(
        max_length=20, blank=True, help_text="one of TRAIN_DEVICES; empty: the child's own choice"
    )
    child_pid = models.PositiveIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    progress = models.FloatField(default=0, help_text="0 to 1")
    stage = models.CharField(max_length=120, blank=True, help_text="what it is doing now")
    metrics = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    output = models.CharField(max_length=500, help_text="folder of its results, log and progress")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}: {self.state}"


class TrainingRun(Job):
    class Trigger(models.TextChoices):
        ROUND = "round", "round"
        LABELS = "labels", "new labels"
        PERSON = "person", "person"
        PROMOTION = "promotion", "promotion"

    kind = models.CharField(max_length=12, choices=ModelKind)
    dataset = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="runs")
    config = models.JSONField(default=dict)
    trigger = models.CharField(max_length=10, choices=Trigger)
    why = models.JSONField(
        default=dict, blank=True, help_text="the sentence that says what asked for it"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    parent = models.ForeignKey(
        ModelVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="the version whose weights it starts from",
    )
    model_version = models.OneToOneField(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="run"
    )

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(state__in=["queued", "running"]),
                name="training_one_active_per_model",
            ),
            models.UniqueConstraint(
                fields=["machine", "device"],
                condition=Q(state="running") & ~Q(device=""),
                name="training_one_a_device",
            ),
        ]


class Scan(Job):
    """Scores of a release's models on every image of a manifest, as Parquet shards."""

    class Purpose(models.TextChoices):
        POOL = "pool", "the pool"
        FRESH = "fresh", "what came in while a release was in shadow"

    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.POOL)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="scans")
    manifest_sha256 = models.CharField(max_length=64)
    manifest = models.CharField(max_length=500)
    rows = models.PositiveIntegerField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["release", "manifest_sha256", "purpose"],
                condition=~Q(state__in=["failed", "cancelled"]),
                name="scan_once_per_release_and_manifest",
            )
        ]


class Evaluation(Job):
    """A release measured on the frozen test sets. `report` is what `ml evaluate` wrote."""

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="evaluations")
    manifest_sha256 = models.CharField(max_length=64)
    manifest = models.CharField(max_length=500)
    report = models.JSONField(default=dict, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["release", "manifest_sha256"],
                condition=~Q(state__in=["failed", "cancelled"]),
                name="evaluation_once_per_release_and_manifest",
            )
        ]


class EmbeddingRun(Job):
    """Embeddings by the classifier of a space: of a batch of images that lack theirs, or of one
    picture that somebody searches with."""

    space = models.ForeignKey(EmbeddingSpace, on_delete=models.CASCADE, related_name="runs")
    images = models.PositiveIntegerField(help_text="how many it is to embed")
    picture = models.CharField(
        max_length=200, blank=True, help_text="storage name of a picture to search with"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    unreadable = models.JSONField(
        default=list, blank=True, help_text="ids of images whose files could not be read"
    )

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["space"],
                condition=Q(state__in=["queued", "running"], picture=""),
                name="embedding_one_batch_at_a_time",
            )
        ]


class DatasetExport(Job):
    """A dataset in a format of other tools, as one zip file."""

    class Format(models.TextChoices):
        COCO = "coco", "COCO"
        YOLO = "yolo", "YOLO"
        VOC = "voc", "Pascal VOC"
        CSV = "csv", "CSV"
        PARQUET = "parquet", "Parquet"

    dataset = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="exports")
    format = models.CharField(max_length=10, choices=Format)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    size = models.BigIntegerField(default=0, help_text="of the zip file, in bytes")

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["dataset", "format"],
                condition=~Q(state__in=["failed", "cancelled"]),
                name="export_once_per_dataset_and_format",
            )
        ]


class Explanation(Job):
    """What one model sees in one image, as a picture."""

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="+")
    label = models.CharField(max_length=80, help_text="brand or arrangement to be explained")
    picture = models.CharField(max_length=200, blank=True, help_text="name in the default storage")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["version", "image", "label"],
                condition=~Q(state__in=["failed", "cancelled"]),
                name="explanation_once_per_version_and_image",
            )
        ]
