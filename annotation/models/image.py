"""Images, the groups that keep near-duplicates on one side of the evaluation, and ingest."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Case, F, Q, Value, When

from annotation.models.catalogue import Product

LEARNED_SPLITS = ("train", "val")  # what models are trained and calibrated on
TRAINING_SPLITS = ("pool", *LEARNED_SPLITS)
TEST_SPLITS = ("closed", "open", "business")


class ImageGroup(models.Model):
    """Near-duplicates and images of one product. A group has one role for life: a foreign key
    on (group, role) in the first migration forbids an image of the other role in it."""

    class Role(models.TextChoices):
        TRAINING = "training", "training"
        TEST = "test", "test"

    role = models.CharField(max_length=10, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "role"], name="group_id_role")]

    def __str__(self) -> str:
        return f"group {self.pk} ({self.role})"


class IngestBatch(models.Model):
    """One reading of a folder. Running the same folder again continues the same batch."""

    class State(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    source = models.CharField(max_length=40)
    directory = models.CharField(max_length=500)
    split = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    counts = models.JSONField(default=dict)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.source} from {self.directory}"


class Image(models.Model):
    class Split(models.TextChoices):
        POOL = "pool", "pool"
        TRAIN = "train", "train"
        VAL = "val", "val"
        CLOSED = "closed", "closed"
        OPEN = "open", "open"
        BUSINESS = "business", "business"

    sha256 = models.CharField(max_length=64, unique=True)
    file = models.CharField(max_length=200, help_text="name in the default storage")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    phash = models.BinaryField(max_length=32, help_text="256-bit perceptual hash")
    phash_bands = ArrayField(
        models.IntegerField(), default=list, help_text="the hash's bands, for indexed lookup"
    )
    split = models.CharField(max_length=10, choices=Split)
    role = models.GeneratedField(
        expression=Case(
            When(split__in=TRAINING_SPLITS, then=Value("training")),
            default=Value("test"),
        ),
        output_field=models.CharField(max_length=10),
        db_persist=True,
    )
    group = models.ForeignKey(ImageGroup, on_delete=models.PROTECT, related_name="images")
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, null=True, blank=True, related_name="images"
    )
    # The product table's brand: a weak label, which need not show in the picture.
    weak_brand = models.ForeignKey(
        "annotation.Brand", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    weak_answer = models.CharField(
        max_length=12,
        blank=True,
        help_text="brand | none | other as the source says, empty when it says nothing",
    )
    source = models.CharField(max_length=40)
    batch = models.ForeignKey(
        IngestBatch, on_delete=models.PROTECT, null=True, blank=True, related_name="images"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["split", "id"]),
            GinIndex(fields=["phash_bands"], name="image_phash_bands"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(split__in=TRAINING_SPLITS + TEST_SPLITS), name="image_known_split"
            ),
            models.CheckConstraint(
                condition=Q(weak_answer__in=["", "brand", "none", "other"])
                & (
                    (Q(weak_answer="brand") & Q(weak_brand__isnull=False))
                    | (~Q(weak_answer="brand") & Q(weak_brand__isnull=True))
                ),
                name="image_weak_answer_fits",
            ),
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class SetAside(models.Model):
    """A file that ingest would not take, with the reason a person can act on."""

    batch = models.ForeignKey(IngestBatch, on_delete=models.CASCADE, related_name="set_aside")
    path = models.CharField(max_length=500)
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(F("batch"), F("path"), name="set_aside_once"),
        ]

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
