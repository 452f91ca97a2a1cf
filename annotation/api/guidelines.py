"""Guidelines over the API: versions to read for staff; drafts to begin and edit for operations."""

from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.access import STAFF, Role
from annotation.files import absolute_url
from annotation.filters import GuidelineFilter
from annotation.guideline_content import (
    LARGEST_LOGO,
    LONGEST_TEXT,
    Content,
    ContentError,
    as_json,
    content_of,
    read_content,
)
from annotation.guidelines import GuidelineError, begin_draft, save_draft
from annotation.models import Brand, Feature, FeatureExample, GuidelineVersion
from annotation.selectors import guidelines as selectors
from annotation.serializers import named_by


class Refused(APIException):
    """What was asked cannot be done in the state things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "refused"


class ExampleRegionSerializer(serializers.Serializer):
    """In pixels of the example picture."""

    x1 = serializers.FloatField()
    y1 = serializers.FloatField()
    x2 = serializers.FloatField()
    y2 = serializers.FloatField()


class ExampleSerializer(serializers.ModelSerializer):
    url = serializers.SerializerMethodField()
    regions = ExampleRegionSerializer(many=True)

    class Meta:
        model = FeatureExample
        fields = ["file", "url", "width", "height", "regions"]

    @extend_schema_field(serializers.URLField())
    def get_url(self, example: FeatureExample) -> str:
        return absolute_url(name=example.file)


class FeatureSerializer(serializers.ModelSerializer):
    examples = ExampleSerializer(many=True)

    class Meta:
        model = Feature
        fields = ["kind", "text", "registered", "examples"]


class GuidelineSerializer(serializers.ModelSerializer):
    brand = named_by("key")
    created_by = named_by("username")
    submitted_by = named_by("username")
    published_by = named_by("username")
    features = FeatureSerializer(many=True)

    class Meta:
        model = GuidelineVersion
        fields = [
            "id", "brand", "number", "state", "rules", "not_violations", "least_logo",
            "change_note", "features", "created_at", "created_by", "edited_at", "submitted_by",
            "published_at", "published_by",
        ]  # fmt: skip


class ExampleWriteSerializer(serializers.Serializer):
    """`file`: the name of an image of the platform, or of a picture uploaded for guidelines."""

    file = serializers.CharField()
    regions = ExampleRegionSerializer(many=True, required=False)


class FeatureWriteSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(choices=Feature.Kind.choices)
    text = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_TEXT)
    registered = serializers.BooleanField(required=False)
    examples = ExampleWriteSerializer(many=True, required=False)


class ContentSerializer(serializers.Serializer):
    """What a draft says; what is left out of an update stays as it is."""

    rules = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_TEXT)
    not_violations = serializers.CharField(
        required=False, allow_blank=True, max_length=LONGEST_TEXT
    )
    least_logo = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LARGEST_LOGO
    )
    change_note = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_TEXT)
    features = FeatureWriteSerializer(many=True, required=False)


class NewDraftSerializer(ContentSerializer):
    """With nothing but a brand: a copy of what is published."""

    brand = serializers.SlugRelatedField(slug_field="key", queryset=Brand.objects.all())


class DraftSerializer(ContentSerializer):
    """`edited_at`: as read, so that nobody else's words are written over unseen."""

    edited_at = serializers.DateTimeField()


class GuidelineViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[GuidelineVersion]
):
    """Versions of guidelines, newest first within a brand. A published one never changes."""

    roles = STAFF
    write_roles = (Role.OPERATIONS,)
    queryset = GuidelineVersion.objects.all()
    serializer_class = GuidelineSerializer
    filterset_class = GuidelineFilter

    def get_queryset(self):
        return selectors.versions()

    @extend_schema(request=NewDraftSerializer, responses={201: GuidelineSerializer})
    def create(self, request: Request) -> Response:
        """Begin the next draft of a brand: 409 when one is open."""
        sent = NewDraftSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        brand = sent.validated_data["brand"]
        named = _named(request, "brand")
        content = _read(named) if named else None
        try:
            draft = begin_draft(brand=brand, by=cast(User, request.user), content=content)
        except GuidelineError as refusal:
            raise Refused(str(refusal)) from refusal
        return Response(self._shown(draft), status=status.HTTP_201_CREATED)

    @extend_schema(request=DraftSerializer, responses=GuidelineSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Edit a draft: 409 when it is no draft, or somebody else saved it since `edited_at`."""
        draft = self.get_object()
        sent = DraftSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        named = _named(request, "edited_at")
        content = _read(as_json(content_of(draft)) | named)
        try:
            draft = save_draft(
                version=draft,
                content=content,
                seen=sent.validated_data["edited_at"],
                by=cast(User, request.user),
            )
        except GuidelineError as refusal:
            raise Refused(str(refusal)) from refusal
        return Response(self._shown(draft))

    def _shown(self, draft: GuidelineVersion) -> Any:
        return GuidelineSerializer(self.get_queryset().get(pk=draft.pk)).data


def _named(request: Request, aside: str) -> dict[str, Any]:
    """What was sent, which a serializer found to be an object, without the field `aside`."""
    sent = cast(dict[str, Any], request.data)
    return {name: value for name, value in sent.items() if name != aside}


def _read(data: dict[str, Any]) -> Content:
    try:
        return read_content(data, resolve=selectors.pictures)
    except ContentError as error:
        raise ValidationError({"detail": str(error)}) from error
