"""Releases in shadow over the API."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from active_learning import shadows
from active_learning.api import done_or_refused, person
from active_learning.models import Release, Shadow
from active_learning.selectors import shadows as selectors
from annotation.access import ENGINEERS
from annotation.serializers import named_by


class ShadowSerializer(serializers.ModelSerializer):
    release = named_by("number")
    champion = named_by("number")
    requested_by = named_by("username")
    report = serializers.DictField(
        help_text="figures of both on the same fresh images, and the gate's verdict"
    )

    class Meta:
        model = Shadow
        fields = [
            "id",
            "release",
            "state",
            "ends_at",
            "champion",
            "report",
            "requested_by",
            "created_at",
            "finished_at",
        ]


class BeginShadowSerializer(serializers.Serializer):
    release = serializers.SlugRelatedField(slug_field="number", queryset=Release.objects.all())
    hours = serializers.FloatField()


class ShadowViewSet(viewsets.ReadOnlyModelViewSet):
    """Releases tried beside the champion on what comes in, before they are promoted."""

    roles = write_roles = ENGINEERS
    queryset = Shadow.objects.all()
    serializer_class = ShadowSerializer

    def get_queryset(self):
        return selectors.shadows()

    @extend_schema(request=BeginShadowSerializer, responses={201: ShadowSerializer})
    def create(self, request: Request) -> Response:
        """Put a release in shadow."""
        asked = BeginShadowSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = done_or_refused(lambda: shadows.start(**asked.validated_data, by=person(request)))
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=ShadowSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: int) -> Response:
        """Settle it now, by the images that came in so far."""
        shadow = self.get_object()
        done_or_refused(lambda: shadows.end_early(shadow=shadow, by=person(request)))
        return Response(self.get_serializer(self.get_object()).data)


router = SimpleRouter(use_regex_path=False)
router.register("shadows", ShadowViewSet, basename="api-shadow")
