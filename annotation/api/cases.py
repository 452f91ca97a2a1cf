"""The case library over the API."""

from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation import cases as verbs
from annotation.access import EVERYBODY, STAFF, Role, may
from annotation.case_filter import CaseFilter
from annotation.case_form import published
from annotation.cases import CaseError
from annotation.files import absolute_url
from annotation.models import Brand, Case, Image
from annotation.selectors import cases as selectors
from annotation.serializers import named_by


class RegionSerializer(serializers.Serializer):
    """In pixels of the image."""

    x1 = serializers.FloatField()
    y1 = serializers.FloatField()
    x2 = serializers.FloatField()
    y2 = serializers.FloatField()


class CaseSerializer(serializers.ModelSerializer):
    image = named_by("sha256")
    url = serializers.SerializerMethodField()
    brand = named_by("key")
    region = RegionSerializer(allow_null=True)

    class Meta:
        model = Case
        fields = [
            "id",
            "image",
            "url",
            "region",
            "kind",
            "brand",
            "verdict",
            "reason",
            "guideline",
            "state",
            "replaced_by",
            "created_at",
        ]

    @extend_schema_field(serializers.URLField())
    def get_url(self, case: Case) -> str:
        return absolute_url(name=case.image.file)


class NewCaseSerializer(serializers.Serializer):
    image = serializers.SlugRelatedField(slug_field="sha256", queryset=Image.objects.all())
    kind = serializers.ChoiceField(Case.Kind.choices)
    verdict = serializers.ChoiceField(Case.Verdict.choices)
    brand: "serializers.SlugRelatedField[Any]" = serializers.SlugRelatedField(
        slug_field="key", queryset=Brand.objects.all(), required=False, allow_null=True
    )
    reason = serializers.CharField()
    region = RegionSerializer(required=False, allow_null=True)


class ReplaceSerializer(serializers.Serializer):
    into = serializers.PrimaryKeyRelatedField(queryset=Case.objects.all())


class RetireSerializer(serializers.Serializer):
    why = serializers.CharField()


class CaseViewSet(mixins.CreateModelMixin, viewsets.ReadOnlyModelViewSet):
    """Precedents: `q` searches words, the other parameters filter. Labelers read active ones."""

    roles = EVERYBODY
    write_roles = (Role.OPERATIONS,)
    queryset = Case.objects.all()
    serializer_class = CaseSerializer
    filterset_class = CaseFilter

    def get_queryset(self):
        return selectors.cases() if may(self.request.user, STAFF) else selectors.readable_cases()

    @extend_schema(request=NewCaseSerializer, responses={201: CaseSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        said = _valid(NewCaseSerializer, request)
        said = {"brand": None, "region": None} | said
        guideline = published(said["brand"])
        made = _do(
            lambda: verbs.create_case(**said, guideline=guideline, by=cast(User, request.user))
        )
        return Response(CaseSerializer(made).data, status=201)

    @extend_schema(request=ReplaceSerializer, responses=CaseSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Put it away as a double of another."""
        case, said = self.get_object(), _valid(ReplaceSerializer, request)
        return _shown(
            lambda: verbs.merge_case(case=case, into=said["into"], by=cast(User, request.user))
        )

    @extend_schema(request=ReplaceSerializer, responses=CaseSerializer)
    @action(detail=True, methods=["post"])
    def supersede(self, request: Request, pk: str) -> Response:
        """Have another take its place."""
        case, kept = self.get_object(), _valid(ReplaceSerializer, request)["into"]
        return _shown(
            lambda: verbs.supersede_case(case=case, replacement=kept, by=cast(User, request.user))
        )

    @extend_schema(request=RetireSerializer, responses=CaseSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: str) -> Response:
        """Take it out of use."""
        case, said = self.get_object(), _valid(RetireSerializer, request)
        return _shown(
            lambda: verbs.retire_case(case=case, by=cast(User, request.user), why=said["why"])
        )

    @extend_schema(responses=CaseSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"])
    def like(self, request: Request, pk: str) -> Response:
        """Active cases whose pictures are most like its own, each with `similarity`."""
        case = self.get_object()
        others = self.get_queryset().filter(state=Case.State.ACTIVE).exclude(pk=case.pk)
        found = selectors.like_image(queryset=others, image=case.image)
        rows = [
            CaseSerializer(other).data | {"similarity": round(similarity, 4)}
            for other, similarity in found
        ]
        return Response(rows)


def _valid(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data


def _do(verb: Any) -> Case:
    try:
        return verb()
    except CaseError as refusal:
        raise ValidationError(str(refusal)) from refusal


def _shown(verb: Any) -> Response:
    return Response(CaseSerializer(_do(verb)).data)
