"""How annotation looks over the API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.files import absolute_url
from annotation.models import Brand, Consensus, Image, Label, Task
from annotation.selectors import published


def named_by(field: str) -> "serializers.SlugRelatedField[Any]":
    """A related row by the name people know it by."""
    return serializers.SlugRelatedField(slug_field=field, read_only=True)


class BoxSerializer(serializers.Serializer):
    """A box in pixels of the image."""

    x1 = serializers.FloatField()
    y1 = serializers.FloatField()
    x2 = serializers.FloatField()
    y2 = serializers.FloatField()
    brand = serializers.CharField()


class BrandSerializer(serializers.ModelSerializer):
    guideline_version = serializers.SerializerMethodField()

    class Meta:
        model = Brand
        fields = [
            "key",
            "name_en",
            "name_zh",
            "aliases",
            "state",
            "protected",
            "guideline_version",
            "created_at",
        ]

    def get_guideline_version(self, brand: Brand) -> int | None:
        guideline = published(brand)
        return guideline.number if guideline else None


class ConsensusSerializer(serializers.ModelSerializer):
    """What the labels of an image come to, for one kind of task."""

    brand = named_by("key")
    boxes = BoxSerializer(many=True, allow_null=True)

    class Meta:
        model = Consensus
        fields = ["kind", "answer", "brand", "boxes", "variation", "votes", "agreement", "trusted"]


class ImageSerializer(serializers.ModelSerializer):
    url = serializers.SerializerMethodField()
    title = serializers.CharField(source="product.title", default="")
    weak_brand = named_by("key")
    consensus = ConsensusSerializer(many=True)

    class Meta:
        model = Image
        fields = [
            "sha256",
            "url",
            "width",
            "height",
            "split",
            "group",
            "title",
            "weak_brand",
            "weak_answer",
            "source",
            "consensus",
            "created_at",
        ]

    @extend_schema_field(serializers.URLField())
    def get_url(self, image: Image) -> str:
        return absolute_url(name=image.file)


class TaskSerializer(serializers.ModelSerializer):
    image = named_by("sha256")
    focus_brand = named_by("key")
    proposal = serializers.DictField()

    class Meta:
        model = Task
        fields = [
            "id",
            "image",
            "kind",
            "state",
            "strategy",
            "focus_brand",
            "blind",
            "proposal",
            "priority",
            "remote_id",
            "pushed_at",
            "answered_at",
            "created_at",
        ]


class LabelSerializer(serializers.ModelSerializer):
    image = named_by("sha256")
    brand = named_by("key")
    by = named_by("username")
    boxes = BoxSerializer(many=True, allow_null=True)

    class Meta:
        model = Label
        fields = [
            "id",
            "image",
            "kind",
            "task",
            "by",
            "source",
            "guideline",
            "proposal_shown",
            "answer",
            "brand",
            "excluded",
            "risk",
            "attack",
            "has_logo",
            "boxes",
            "variation",
            "question",
            "seconds",
            "created_at",
        ]
