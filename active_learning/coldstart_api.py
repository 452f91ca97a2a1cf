"""Cold starts of brands over the API."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from active_learning import coldstarts, filters
from active_learning.api import done_or_refused, person
from active_learning.models import ColdStart
from active_learning.selectors import coldstarts as selectors
from active_learning.sentences import in_words
from annotation.access import ENGINEERS, STAFF
from annotation.models import Brand
from annotation.serializers import named_by


class FigureSerializer(serializers.Serializer):
    """A share with its 95 % interval, of `n`."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField()


class LineSerializer(serializers.Serializer):
    """The brand at one score threshold; null where it cannot be measured, and why."""

    threshold = serializers.FloatField()
    recall = FigureSerializer(allow_null=True)
    precision = FigureSerializer(allow_null=True)
    flag_ratio = FigureSerializer(allow_null=True)
    missing = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_missing(self, line: selectors.Line) -> list[str]:
        return [in_words(reason) for reason in line.missing]


class BrandStandingSerializer(serializers.Serializer):
    """The brand with one release; `round` null: the champion before."""

    round = serializers.IntegerField(source="round.number", default=None, allow_null=True)
    release = serializers.IntegerField(source="release.number")
    state = serializers.CharField(source="release.state")
    answers = serializers.IntegerField(allow_null=True)
    lines = LineSerializer(many=True)
    probes = FigureSerializer(allow_null=True)


class ColdStartSerializer(serializers.ModelSerializer):
    brand = named_by("key")
    requested_by = named_by("username")
    config = serializers.DictField()
    rounds: "serializers.SlugRelatedField[Any]" = serializers.SlugRelatedField(
        slug_field="number", many=True, read_only=True
    )

    class Meta:
        model = ColdStart
        fields = [
            "id",
            "brand",
            "state",
            "rounds_wanted",
            "rounds",
            "config",
            "error",
            "requested_by",
            "created_at",
            "finished_at",
        ]


class ColdStartDetailSerializer(ColdStartSerializer):
    standings = serializers.SerializerMethodField()

    class Meta(ColdStartSerializer.Meta):
        fields = [*ColdStartSerializer.Meta.fields, "standings"]

    @extend_schema_field(BrandStandingSerializer(many=True))
    def get_standings(self, begun: ColdStart) -> list[dict[str, Any]]:
        found = selectors.standings(cold_start=begun)
        return list(BrandStandingSerializer(found, many=True).data)


class BeginSerializer(serializers.Serializer):
    """Dials; what is left out is as the default says."""

    brand = serializers.SlugRelatedField(slug_field="key", queryset=Brand.objects.all())
    rounds = serializers.IntegerField(required=False, min_value=1)
    config = serializers.DictField(required=False)


class ColdStartViewSet(viewsets.ReadOnlyModelViewSet):
    """New brands, from their positives to a model that knows them."""

    roles = STAFF
    write_roles = ENGINEERS
    queryset = ColdStart.objects.all()
    serializer_class = ColdStartSerializer
    filterset_class = filters.ColdStartFilter

    def get_queryset(self):
        return selectors.cold_starts()

    @extend_schema(responses=ColdStartDetailSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """One, with the brand's figures after each round."""
        return Response(ColdStartDetailSerializer(self.get_object()).data)

    @extend_schema(request=BeginSerializer, responses={201: ColdStartSerializer})
    def create(self, request: Request) -> Response:
        """Begin one."""
        asked = BeginSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = done_or_refused(
            lambda: coldstarts.start(
                brand=asked.validated_data["brand"],
                rounds_wanted=asked.validated_data.get("rounds", coldstarts.ROUNDS),
                config=asked.validated_data.get("config"),
                by=person(request),
            )
        )
        found = self.get_queryset().get(pk=made.pk)
        return Response(self.get_serializer(found).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=ColdStartSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """Stop one with its running round; labels and models stay."""
        begun = self.get_object()
        done_or_refused(lambda: coldstarts.cancel(cold_start=begun, by=person(request)))
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses=ColdStartSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: int) -> Response:
        """Let a failed one go on where it stopped."""
        begun = self.get_object()
        done_or_refused(lambda: coldstarts.resume(cold_start=begun, by=person(request)))
        return Response(self.get_serializer(self.get_object()).data)


router = SimpleRouter(use_regex_path=False)
router.register("cold-starts", ColdStartViewSet)
