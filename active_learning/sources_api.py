"""Sources over the API: what they are, their runs, and where a brand's images come from."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from active_learning import filters, source_checks
from active_learning import sources as verbs
from active_learning.api import done_or_refused, person
from active_learning.models import Source, SourceRun
from active_learning.rightness import Trust
from active_learning.selection import detection_set
from active_learning.selectors import brand_sources
from active_learning.selectors import sources as selectors
from active_learning.sentences import in_words
from active_learning.serializers import JOB_FIELDS
from annotation import selectors as annotation
from annotation.access import ENGINEERS, STAFF
from annotation.models import Brand
from annotation.serializers import named_by

SETTINGS = ["kind", "connector", "place", "split", "brand", "weak_answer", "schedule", "enabled",
            "trust"]  # fmt: skip


class FigureSerializer(serializers.Serializer):
    """A share with its 95% interval."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField()


class SourceSerializer(serializers.ModelSerializer):
    """A source, with how right its word is by blind answers, all of it and by brand."""

    brand = named_by("key")
    place = serializers.DictField(child=serializers.CharField())
    created_by = named_by("username")
    rightness = serializers.SerializerMethodField()
    by_brand = serializers.SerializerMethodField()
    left_out = serializers.SerializerMethodField()

    class Meta:
        model = Source
        fields = ["name", *SETTINGS, "created_at", "created_by", "rightness", "by_brand",
                  "left_out"]  # fmt: skip

    def _trust(self) -> Trust:
        """Read once an answer, whatever its length."""
        shared: dict[str, Any] = self.context  # type: ignore[assignment]  # the root's own dict
        trust: Trust = shared.get("trust") or Trust.read()
        shared["trust"] = trust
        return trust

    def get_rightness(self, source: Source) -> dict[str, Any] | None:
        figure = self._trust().rightness.get((source.name, ""))
        return figure.as_json() if figure else None

    def get_by_brand(self, source: Source) -> dict[str, dict[str, Any]]:
        return {
            brand: figure.as_json()
            for (name, brand), figure in self._trust().rightness.items()
            if name == source.name and brand
        }

    def get_left_out(self, source: Source) -> str:
        """Why its weak labels train nothing; empty where they do."""
        against = self._trust().against(source.name, None)
        return in_words(against) if against else ""


class ChangeSourceSerializer(serializers.Serializer):
    """What is left out stays as it is, or as a new source has it."""

    kind = serializers.ChoiceField(choices=Source.Kind.choices)
    connector = serializers.ChoiceField(choices=Source.Connector.choices)
    place = serializers.DictField(child=serializers.CharField(allow_blank=True))
    split = serializers.ChoiceField(choices=Source.Split.choices, required=False)
    brand = serializers.SlugRelatedField(
        slug_field="key", queryset=Brand.objects.all(), required=False, allow_null=True
    )
    weak_answer = serializers.ChoiceField(
        choices=Source.WeakAnswer.choices, required=False, allow_blank=True
    )
    schedule = serializers.CharField(required=False, max_length=100)
    enabled = serializers.BooleanField(required=False)
    trust = serializers.ChoiceField(choices=Source.Trust.choices, required=False)


class NewSourceSerializer(ChangeSourceSerializer):
    name = serializers.SlugField(max_length=40)


class SourceRunSerializer(serializers.ModelSerializer):
    """`metrics`: {seen, taken, known, refused}."""

    source = named_by("name")  # type: ignore[assignment]  # a name of DRF too
    requested_by = named_by("username")
    metrics = serializers.DictField()

    class Meta:
        model = SourceRun
        fields = [*JOB_FIELDS, "source", "trigger", "requested_by"]


class RefusalSerializer(serializers.Serializer):
    path = serializers.CharField()
    reason = serializers.CharField()


class CountSerializer(serializers.Serializer):
    count = serializers.IntegerField(min_value=1)


class AskedSerializer(serializers.Serializer):
    asked = serializers.IntegerField()


class ShareSerializer(serializers.Serializer):
    name = serializers.CharField()
    images = serializers.IntegerField()
    of_brand = serializers.FloatField(allow_null=True)
    of_pool = serializers.FloatField(allow_null=True)
    of_open = serializers.FloatField(allow_null=True)


class KeyStyleSerializer(serializers.Serializer):
    kind = serializers.CharField(source="feature.kind")
    text = serializers.CharField(source="feature.text")
    images = serializers.IntegerField()
    examples = serializers.IntegerField()
    wanted = serializers.IntegerField()
    searches = serializers.ListField(child=serializers.CharField())


class BrandSourcesSerializer(serializers.Serializer):
    """`pool` and `opened`: so many images stand for what is online."""

    images = serializers.IntegerField(source="mix.images")
    pool = serializers.IntegerField(source="mix.pool")
    opened = serializers.IntegerField(source="mix.opened")
    sources = ShareSerializer(many=True, source="mix.sources")
    categories = ShareSerializer(many=True, source="mix.categories")
    key_styles = KeyStyleSerializer(many=True)


class SourceViewSet(viewsets.ReadOnlyModelViewSet):
    """Where training images come from."""

    roles = write_roles = STAFF
    queryset = Source.objects.all()
    serializer_class = SourceSerializer
    filterset_class = filters.SourceFilter
    lookup_field = "name"

    def get_queryset(self):
        return selectors.sources()

    @extend_schema(request=NewSourceSerializer, responses={201: SourceSerializer})
    def create(self, request: Request) -> Response:
        """Add a source."""
        asked = _valid(NewSourceSerializer(data=request.data))
        name = asked.pop("name")
        source = done_or_refused(
            lambda: verbs.create_source(
                name=name, settings=verbs.Settings(**asked), by=person(request)
            )
        )
        return Response(self.get_serializer(source).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangeSourceSerializer(partial=True), responses=SourceSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change a source; its name stays."""
        source = self.get_object()
        asked = _valid(ChangeSourceSerializer(data=request.data, partial=True))
        settings = verbs.Settings(**{**vars(verbs.Settings.of(source)), **asked})
        done_or_refused(
            lambda: verbs.change_source(source=source, settings=settings, by=person(request))
        )
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses={201: SourceRunSerializer})
    @action(detail=True, methods=["post"])
    def run(self, request: Request, name: str) -> Response:
        """Take a source in now."""
        source = self.get_object()
        run = done_or_refused(lambda: verbs.request_run(source=source, by=person(request)))
        return Response(SourceRunSerializer(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=CountSerializer, responses=AskedSerializer)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, name: str) -> Response:
        """Ask people, blind, about some of its images that nobody has judged."""
        source, count = self.get_object(), _valid(CountSerializer(data=request.data))["count"]
        asked = done_or_refused(
            lambda: source_checks.check_at_random(
                source=source.name, count=count, by=person(request)
            )
        )
        return Response({"asked": asked})


class SourceRunViewSet(viewsets.ReadOnlyModelViewSet):
    """Each time a source was taken in."""

    roles = write_roles = STAFF
    queryset = SourceRun.objects.all()
    serializer_class = SourceRunSerializer
    filterset_class = filters.SourceRunFilter

    def get_queryset(self):
        return selectors.runs()

    @extend_schema(request=None, responses=SourceRunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """Stop a run; what was taken in stays."""
        run = self.get_object()
        done_or_refused(lambda: verbs.cancel_run(run=run, by=person(request)))
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses=RefusalSerializer(many=True), filters=False)
    @action(detail=True, filterset_class=None)
    def refusals(self, request: Request, pk: int) -> Response:
        """What it would not take, and why."""
        page = self.paginate_queryset(selectors.refusals(self.get_object()))
        return self.get_paginated_response(RefusalSerializer(page, many=True).data)


class BrandSourcesViewSet(viewsets.GenericViewSet):
    """Where a brand's training images come from."""

    roles = STAFF
    queryset = Brand.objects.all()
    serializer_class = BrandSourcesSerializer
    lookup_field = "key"

    def retrieve(self, request: Request, key: str) -> Response:
        """By source and category, beside what is online; and the guideline's key styles with how
        many images each has and what to search for."""
        brand = self.get_object()
        guideline = annotation.guideline(brand=brand)
        found = {
            "mix": brand_sources.brand_mix(brand),
            "key_styles": brand_sources.key_styles(brand, guideline),
        }
        return Response(self.get_serializer(found).data)


class DetectionSetViewSet(mixins.CreateModelMixin, viewsets.GenericViewSet):
    """The detection set, drawn from the classification set."""

    roles = write_roles = ENGINEERS
    serializer_class = CountSerializer

    @extend_schema(request=CountSerializer, responses={201: AskedSerializer})
    def create(self, request: Request) -> Response:
        """Put images with a trusted brand answer before labelers to be boxed, spread evenly over
        brands and sources."""
        count = _valid(CountSerializer(data=request.data))["count"]
        seed = int(timezone.now().timestamp())
        asked = done_or_refused(lambda: detection_set.draw(count=count, seed=seed))
        return Response({"asked": asked}, status=status.HTTP_201_CREATED)


def _valid(asked: serializers.Serializer) -> dict[str, Any]:
    asked.is_valid(raise_exception=True)
    return asked.validated_data


router = SimpleRouter(use_regex_path=False)
router.register("sources", SourceViewSet, basename="api-source")
router.register("source-runs", SourceRunViewSet, basename="api-source-run")
router.register("brand-sources", BrandSourcesViewSet, basename="api-brand-sources")
router.register("detection-set", DetectionSetViewSet, basename="api-detection-set")
