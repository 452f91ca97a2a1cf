"""How the loop looks over the API."""

from typing import Any

from rest_framework import serializers

from active_learning import models
from active_learning.sentences import in_words as in_sentence
from active_learning.triggers import Plan
from annotation.serializers import named_by


def in_words() -> "serializers.StringRelatedField[Any]":
    """A related row as it calls itself."""
    return serializers.StringRelatedField(allow_null=True)


class StepSerializer(serializers.ModelSerializer):
    result = serializers.DictField()

    class Meta:
        model = models.RoundStep
        fields = ["name", "state", "attempts", "result", "error", "started_at", "finished_at"]


class RoundSerializer(serializers.ModelSerializer):
    champion = named_by("number")
    candidate = named_by("number")
    dataset = named_by("sha256")
    config = serializers.DictField()
    steps = StepSerializer(many=True)

    class Meta:
        model = models.Round
        fields = [
            "number",
            "state",
            "seed",
            "config",
            "champion",
            "candidate",
            "cold_start",
            "scan",
            "dataset",
            "steps",
            "created_at",
            "finished_at",
        ]


class OpenRoundSerializer(serializers.Serializer):
    """Dials of a round; what is left out is as the default says."""

    config = serializers.DictField(required=False)


class ForecastSerializer(serializers.ModelSerializer):
    release = named_by("number")
    round = named_by("number")
    config = serializers.DictField()
    chosen = serializers.ListField(child=serializers.DictField())
    effort = serializers.DictField()
    report = serializers.DictField()

    class Meta:
        model = models.Forecast
        fields = [
            "id",
            "state",
            "progress",
            "error",
            "config",
            "release",
            "chosen",
            "effort",
            "report",
            "round",
            "created_at",
        ]


class SelectionSerializer(serializers.ModelSerializer):
    round = named_by("number")
    image = serializers.CharField(source="task.image.sha256")
    kind = serializers.CharField(source="task.kind")
    focus_brand = named_by("key")

    class Meta:
        model = models.Selection
        fields = [
            "round",
            "task",
            "image",
            "kind",
            "strategy",
            "score",
            "rank",
            "focus_brand",
            "propensity",
        ]


JOB_FIELDS = [
    "id",
    "state",
    "progress",
    "stage",
    "metrics",
    "error",
    "attempts",
    "cancel_requested",
    "created_at",
    "started_at",
    "finished_at",
]


class RunSerializer(serializers.ModelSerializer):
    dataset = named_by("sha256")
    requested_by = named_by("username")
    model_version = in_words()
    parent = in_words()  # type: ignore[assignment]  # a name of DRF too
    config = serializers.DictField()
    metrics = serializers.DictField()

    class Meta:
        model = models.TrainingRun
        fields = [
            *JOB_FIELDS,
            "kind",
            "dataset",
            "config",
            "trigger",
            "requested_by",
            "parent",
            "model_version",
        ]


class RequestTrainingSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=models.ModelKind.choices)
    config = serializers.DictField(required=False)


class ModelVersionSerializer(serializers.ModelSerializer):
    dataset = named_by("sha256")
    parent = in_words()  # type: ignore[assignment]  # a name of DRF too
    metrics = serializers.DictField()
    config = serializers.DictField()

    class Meta:
        model = models.ModelVersion
        fields = [
            "id",
            "kind",
            "number",
            "dataset",
            "parent",
            "config",
            "code_version",
            "size",
            "metrics",
            "created_at",
        ]


class PlanSerializer(serializers.Serializer):
    """Of one model: whether new labels would start a training now, and why or why not."""

    kind = serializers.CharField()
    new_labels = serializers.IntegerField()
    due = serializers.BooleanField()
    reason = serializers.SerializerMethodField()

    def get_reason(self, plan: Plan) -> str:
        return in_sentence(plan.reason)


class EventSerializer(serializers.ModelSerializer):
    by = named_by("username")
    previous = named_by("number")
    overridden = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = models.PromotionEvent
        fields = ["action", "previous", "by", "account", "why", "overridden", "created_at"]


class ReleaseSerializer(serializers.ModelSerializer):
    classifier = in_words()
    detector = in_words()
    variation = in_words()
    text = in_words()
    fusion = in_words()
    brands = serializers.ListField(child=serializers.CharField())
    thresholds = serializers.DictField()
    gate = serializers.DictField()
    events = EventSerializer(many=True)

    class Meta:
        model = models.Release
        fields = [
            "number",
            "state",
            "classifier",
            "detector",
            "variation",
            "text",
            "fusion",
            "brands",
            "thresholds",
            "gate",
            "events",
            "created_at",
        ]


class ReasonSerializer(serializers.Serializer):
    why = serializers.CharField()


class PromoteSerializer(ReasonSerializer):
    """`override`: though the gates are against it; `why` is then kept with the gates."""

    override = serializers.BooleanField(default=False)


class CompareSerializer(serializers.Serializer):
    """Two releases by their numbers, and a kind of model."""

    a = serializers.IntegerField()
    b = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=models.ModelKind.choices)


class EvaluationSerializer(serializers.ModelSerializer):
    release = named_by("number")
    report = serializers.DictField()
    metrics = serializers.DictField()

    class Meta:
        model = models.Evaluation
        fields = [*JOB_FIELDS, "release", "manifest_sha256", "report"]


class ScanSerializer(serializers.ModelSerializer):
    release = named_by("number")
    metrics = serializers.DictField()

    class Meta:
        model = models.Scan
        fields = [*JOB_FIELDS, "release", "purpose", "manifest_sha256", "rows"]


class DatasetSerializer(serializers.ModelSerializer):
    parent = named_by("sha256")  # type: ignore[assignment]  # a name of DRF too
    counts = serializers.DictField()
    brands = serializers.ListField(child=serializers.CharField())
    changes = serializers.DictField()
    left_out = serializers.SerializerMethodField()

    class Meta:
        model = models.DatasetVersion
        fields = [
            "sha256",
            "rows",
            "counts",
            "brands",
            "labels_until",
            "lineage_sha256",
            "changes",
            "left_out",
            "parent",
            "created_at",
        ]

    def get_left_out(self, dataset: models.DatasetVersion) -> list[dict[str, Any]]:
        return [row | {"why": in_sentence(row["why"])} for row in dataset.left_out]


class MeasurementSerializer(serializers.ModelSerializer):
    class Meta:
        model = models.Measurement
        fields = [
            "id",
            "name",
            "subject",
            "day",
            "value",
            "low",
            "high",
            "n",
            "limit",
            "state",
            "scan",
            "measured_at",
        ]


class DeliverySerializer(serializers.ModelSerializer):
    class Meta:
        model = models.Delivery
        fields = ["channel", "event", "state", "attempts", "error", "due_at", "delivered_at"]


class AlertSerializer(serializers.ModelSerializer):
    acknowledged_by = named_by("username")
    deliveries = DeliverySerializer(many=True)

    class Meta:
        model = models.Alert
        fields = [
            "id",
            "name",
            "subject",
            "state",
            "value",
            "limit",
            "opened_at",
            "measured_at",
            "closed_at",
            "acknowledged_by",
            "acknowledged_at",
            "note",
            "deliveries",
        ]


class AcknowledgeSerializer(serializers.Serializer):
    note = serializers.CharField()
