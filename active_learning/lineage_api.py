"""Exports of datasets, and answers, over the API: what a prediction was learned from, and what
learned from a label."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from active_learning import exports, filters, jobs
from active_learning.api import done_or_refused, person
from active_learning.downloads import export_response
from active_learning.models import DatasetExport, DatasetVersion, ModelVersion, Release
from active_learning.selectors import lineage as selectors
from active_learning.serializers import JOB_FIELDS
from annotation.access import ENGINEERS, STAFF
from annotation.models import Image, Label
from annotation.serializers import named_by


class ExportSerializer(serializers.ModelSerializer):
    dataset = named_by("sha256")
    requested_by = named_by("username")
    metrics = serializers.DictField()

    class Meta:
        model = DatasetExport
        fields = [*JOB_FIELDS, "dataset", "format", "requested_by", "size"]


class RequestExportSerializer(serializers.Serializer):
    dataset = serializers.SlugRelatedField(
        slug_field="sha256", queryset=DatasetVersion.objects.all()
    )
    format = serializers.ChoiceField(choices=DatasetExport.Format.choices)


class LearnedSerializer(serializers.Serializer):
    """`state`: trained, checked (it was validated on it), not_used (it is there for other models),
    absent, or not_known."""

    model = serializers.CharField(source="version")
    dataset = serializers.CharField(source="version.dataset.sha256")
    state = serializers.CharField()
    weak = serializers.BooleanField(help_text="it learned the source's word")


class SaidSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="label.pk")
    kind = serializers.CharField(source="label.kind")
    answer = serializers.CharField(source="label.answer")
    brand = serializers.CharField(source="label.brand.key", default=None)
    boxes = serializers.JSONField(source="label.boxes")
    variation = serializers.CharField(source="label.variation")
    source = serializers.CharField(source="label.source")  # type: ignore[assignment]  # of DRF too
    by = serializers.CharField(source="label.by.username", default=None)
    guideline = serializers.CharField(source="label.guideline", default=None, allow_null=True)
    created_at = serializers.DateTimeField(source="label.created_at")
    counts = serializers.BooleanField(help_text="it is in force")
    learned_by = serializers.ListField(child=serializers.CharField(), source="by_models")


class ItemSerializer(serializers.Serializer):
    image = serializers.CharField(source="image.sha256")
    split = serializers.CharField(source="image.split")
    similarity = serializers.FloatField()
    weak_answer = serializers.CharField(source="image.weak_answer")
    weak_brand = serializers.CharField(source="image.weak_brand.key", default=None)
    learned = LearnedSerializer(many=True)
    labels = SaidSerializer(many=True, source="said")


class ImageLineageSerializer(serializers.Serializer):
    models = serializers.ListField(child=serializers.CharField())
    missing = serializers.CharField(help_text="why nothing is like it, if so")
    image = ItemSerializer()
    nearest = ItemSerializer(many=True)


class TaughtSerializer(serializers.Serializer):
    """`state`: in_train, in_val, absent, or not_known."""

    dataset = serializers.CharField(source="dataset.sha256")
    frozen_at = serializers.DateTimeField(source="dataset.created_at")
    state = serializers.CharField()
    decided = serializers.BooleanField()
    models = serializers.ListField(child=serializers.CharField())


class ExportViewSet(viewsets.ReadOnlyModelViewSet):
    """Datasets in formats of other tools, each one zip file."""

    roles = STAFF
    write_roles = ENGINEERS
    queryset = DatasetExport.objects.select_related("dataset", "requested_by")
    serializer_class = ExportSerializer
    filterset_class = filters.ExportFilter

    @extend_schema(request=RequestExportSerializer, responses={201: ExportSerializer})
    def create(self, request: Request) -> Response:
        """Ask for an export; the one there already is given instead."""
        asked = RequestExportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        export = exports.request_export(
            dataset=asked.validated_data["dataset"],
            to=asked.validated_data["format"],
            by=person(request),
        )
        return Response(self.get_serializer(export).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=ExportSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """Stop an export."""
        export = self.get_object()
        done_or_refused(lambda: jobs.cancel(job=export, by=person(request)))
        return Response(self.get_serializer(export).data)

    def destroy(self, request: Request, pk: int) -> Response:
        """Delete an export with its file."""
        export = self.get_object()
        done_or_refused(lambda: exports.delete_export(export=export, by=person(request)))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def file(self, request: Request, pk: int) -> FileResponse:
        """The zip file, once the export has succeeded."""
        return export_response(self.get_object())


class ImageLineageViewSet(viewsets.GenericViewSet):
    """What an image's prediction was learned from."""

    roles = STAFF
    queryset = Image.objects.select_related("product", "weak_brand")
    serializer_class = ImageLineageSerializer
    lookup_field = "sha256"

    @extend_schema(
        parameters=[
            OpenApiParameter("of", str, description="release-3, classifier-2; else the champion's")
        ]
    )
    def retrieve(self, request: Request, sha256: str) -> Response:
        """The training items most like it, and whether the models asked about learned them."""
        image = self.get_object()
        try:
            versions = selectors.models_asked(request.query_params.get("of", ""))
        except (Release.DoesNotExist, ModelVersion.DoesNotExist) as error:
            raise NotFound("no such model") from error
        embedding = selectors.embedding_of(image)
        own, near = selectors.answers(image=image, embedding=embedding, versions=versions)
        answer: dict[str, Any] = {
            "models": versions,
            "missing": selectors.no_embedding(embedding),
            "image": own,
            "nearest": near,
        }
        return Response(self.get_serializer(answer).data)


class LabelLineageViewSet(viewsets.GenericViewSet):
    """What learned from a label."""

    roles = STAFF
    queryset = Label.objects.all()
    serializer_class = TaughtSerializer

    def get_queryset(self):
        return selectors.labels()

    @extend_schema(
        parameters=[OpenApiParameter("page", int)], responses=TaughtSerializer(many=True)
    )
    def retrieve(self, request: Request, pk: int) -> Response:
        """The datasets frozen since, a page at a time: whether the label is in each, and the models
        that learned from it there."""
        label = self.get_object()
        page = self.paginate_queryset(selectors.datasets_since(label))
        rows = selectors.taught(label=label, datasets=page or [])
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


router = SimpleRouter(use_regex_path=False)
router.register("dataset-exports", ExportViewSet)
router.register("image-lineage", ImageLineageViewSet, basename="api-image-lineage")
router.register("label-lineage", LabelLineageViewSet, basename="api-label-lineage")
