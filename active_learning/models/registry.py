"""Model versions and the releases that are promoted and rolled back as a whole."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from active_learning.models.dataset import DatasetVersion


class ModelKind(models.TextChoices):
    CLASSIFIER = "classifier", "classifier"
    DETECTOR = "detector", "detector"
    VARIATION = "variation", "variation"
    TEXT = "text", "text"
    FUSION = "fusion", "fusion"


# Trained on a dataset. A fusion is fitted to the models of a release instead.
TRAINED_ALONE = (ModelKind.CLASSIFIER, ModelKind.DETECTOR, ModelKind.VARIATION, ModelKind.TEXT)


class ModelVersion(models.Model):
    kind = models.CharField(max_length=12, choices=ModelKind)
    number = models.PositiveIntegerField()
    dataset = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="models")
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    artifact = models.CharField(max_length=500, help_text="folder with weights and meta.json")
    metrics = models.JSONField(default=dict)
    config = models.JSONField(default=dict, help_text="all that its training was told or assumed")
    code_version = models.CharField(max_length=64, blank=True)
    size = models.BigIntegerField(null=True, blank=True, help_text="bytes of the artifact")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "number"], name="model_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} v{self.number}"


class Release(models.Model):
    """Model versions + thresholds + brand list: what scans run and what a gate judges."""

    class State(models.TextChoices):
        CANDIDATE = "candidate", "candidate"
        CHAMPION = "champion", "champion"
        RETIRED = "retired", "retired"  # was champion once; a roll-back may bring it back
        REJECTED = "rejected", "rejected"

    number = models.PositiveIntegerField(unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.CANDIDATE)
    classifier = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    detector = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    variation = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    text = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    fusion = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    brands = models.JSONField(default=list, help_text="brand keys, in the models' order")
    thresholds = models.JSONField(
        default=dict, help_text="{classifier: {brand key or '*': score}, variation: …}"
    )
    gate = models.JSONField(default=dict, help_text="{model: {passed, reasons: […]}}")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="champion"), name="release_one_champion"
            ),
        ]

    def __str__(self) -> str:
        return f"release {self.number}"


class PromotionEvent(models.Model):
    """Every promotion, rejection and roll-back, kept for ever."""

    class Action(models.TextChoices):
        PROMOTED = "promoted", "promoted"
        REJECTED = "rejected", "rejected"
        ROLLED_BACK = "rolled_back", "rolled back"

    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="events")
    previous = models.ForeignKey(
        Release, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    action = models.CharField(max_length=12, choices=Action)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    account = models.CharField(
        max_length=120, blank=True, help_text="of the machine, where a command did it"
    )
    why = models.TextField()
    overridden = models.JSONField(
        default=list, blank=True, help_text="gates promoted against: [{model, gate, text, values}]"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.release} {self.action}"
