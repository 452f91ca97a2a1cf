"""The loop over the API: to read, and to ask for what its verbs do."""

from collections.abc import Callable
from typing import TypeVar, cast

from django.contrib.auth.models import User
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from active_learning import (
    alerts,
    comparing,
    filters,
    forecasts,
    jobs,
    models,
    promotion,
    rounds,
    training,
    triggers,
)
from active_learning import serializers as s
from active_learning.downloads import zip_response
from active_learning.selectors import forecasts as forecast_selectors
from active_learning.selectors import monitoring as monitoring_selectors
from active_learning.selectors import registry
from active_learning.selectors import rounds as round_selectors
from active_learning.selectors import training as run_selectors
from annotation.access import ENGINEERS, STAFF
from ml.errors import InputError

T = TypeVar("T")
REFUSALS = (rounds.RoundError, jobs.JobError, alerts.AlertError, InputError)


class Refused(APIException):
    """What was asked cannot be done in the state things are in."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "refused"


def person(request: Request) -> User:
    """Who asks; the permission lets nobody else this far."""
    return cast(User, request.user)


def done_or_refused(verb: Callable[[], T]) -> T:
    try:
        return verb()
    except REFUSALS as refusal:
        raise Refused(str(refusal)) from refusal


class RoundViewSet(viewsets.ReadOnlyModelViewSet):
    """Rounds with their steps."""

    roles = STAFF
    write_roles = ENGINEERS
    queryset = models.Round.objects.all()
    serializer_class = s.RoundSerializer
    filterset_class = filters.RoundFilter
    lookup_field = "number"
    lookup_value_converter = "int"

    def get_queryset(self):
        return round_selectors.rounds()

    @extend_schema(request=s.OpenRoundSerializer, responses={201: s.RoundSerializer})
    def create(self, request: Request) -> Response:
        """Open the next round."""
        asked = _valid(s.OpenRoundSerializer, request)
        config = asked.get("config")
        round_ = done_or_refused(lambda: rounds.open_round(config=config, by=person(request)))
        return Response(self.get_serializer(round_).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=s.RoundSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, number: int) -> Response:
        """Stop a running round; its labels stay."""
        round_ = self.get_object()
        done_or_refused(lambda: rounds.cancel_round(round_=round_, by=person(request)))
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses=s.RoundSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, number: int) -> Response:
        """Let a failed round go on where it stopped."""
        round_ = self.get_object()
        done_or_refused(lambda: rounds.retry_round(round_=round_, by=person(request)))
        return Response(self.get_serializer(self.get_object()).data)


class ForecastViewSet(viewsets.ReadOnlyModelViewSet):
    """Rounds before they are opened: what they would ask and what that is likely to change."""

    roles = STAFF
    write_roles = ENGINEERS
    queryset = models.Forecast.objects.all()
    serializer_class = s.ForecastSerializer

    def get_queryset(self):
        return forecast_selectors.forecasts()

    @extend_schema(request=s.OpenRoundSerializer, responses={201: s.ForecastSerializer})
    def create(self, request: Request) -> Response:
        """Preview a round."""
        config = _valid(s.OpenRoundSerializer, request).get("config")
        made = done_or_refused(
            lambda: forecasts.request_forecast(config=config, by=person(request))
        )
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={201: s.RoundSerializer})
    @action(detail=True, methods=["post"])
    def open(self, request: Request, pk: int) -> Response:
        """Open the round that was previewed."""
        forecast = self.get_object()
        round_ = done_or_refused(
            lambda: forecasts.open_forecast(forecast=forecast, by=person(request))
        )
        return Response(s.RoundSerializer(round_).data, status=status.HTTP_201_CREATED)


class SelectionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """What rounds chose, and why."""

    roles = STAFF
    queryset = models.Selection.objects.select_related("round", "task__image", "focus_brand")
    serializer_class = s.SelectionSerializer
    filterset_class = filters.SelectionListFilter


class TrainingRunViewSet(viewsets.ReadOnlyModelViewSet):
    """Training runs."""

    roles = write_roles = ENGINEERS
    queryset = models.TrainingRun.objects.all()
    serializer_class = s.RunSerializer
    filterset_class = filters.RunFilter

    def get_queryset(self):
        return run_selectors.runs()

    @extend_schema(request=s.RequestTrainingSerializer, responses={201: s.RunSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a training on the labels there are now."""
        asked = _valid(s.RequestTrainingSerializer, request)
        run = done_or_refused(
            lambda: training.request_training(
                kind=asked["kind"],
                config=asked.get("config"),
                trigger=models.TrainingRun.Trigger.PERSON,
                by=person(request),
            )
        )
        return Response(self.get_serializer(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=s.RunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """Stop a queued or running training."""
        run = self.get_object()
        done_or_refused(lambda: training.cancel_run(run=run, by=person(request)))
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses=s.PlanSerializer(many=True))
    @action(detail=False, pagination_class=None, filterset_class=None)
    def plan(self, request: Request) -> Response:
        """What new labels would start now, a model each, and why or why not. Starts nothing."""
        return Response(s.PlanSerializer(triggers.plan_triggers(), many=True).data)


class ReleaseViewSet(viewsets.ReadOnlyModelViewSet):
    """Releases, what the gate said of them, and their history."""

    roles = write_roles = ENGINEERS
    queryset = models.Release.objects.all()
    serializer_class = s.ReleaseSerializer
    filterset_class = filters.ReleaseFilter
    lookup_field = "number"
    lookup_value_converter = "int"

    def get_queryset(self):
        return registry.releases()

    @extend_schema(request=s.PromoteSerializer, responses=s.ReleaseSerializer)
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, number: int) -> Response:
        """Make a release the champion."""
        asked = _valid(s.PromoteSerializer, request)
        release = self.get_object()
        done_or_refused(
            lambda: promotion.promote(release=release, by=person(request), **asked),
        )
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(parameters=[s.CompareSerializer], responses=OpenApiTypes.OBJECT, filters=False)
    @action(detail=False, pagination_class=None)
    def compare(self, request: Request) -> Response:
        """What changes from release `a` to `b` for one kind of model, as `python -m ml compare`
        says it, with the images that only one of them finds."""
        asked = s.CompareSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        a, b = (
            get_object_or_404(models.Release, number=asked.validated_data[side]) for side in "ab"
        )
        measured = comparing.measured_together(a=a, b=b)
        if measured is None:
            raise Refused(_("They were not evaluated on the same test sets."))
        kind = asked.validated_data["kind"]
        return Response(done_or_refused(lambda: comparing.compare(measured=measured, kind=kind)))

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    @action(detail=True)
    def export(self, request: Request, number: int) -> HttpResponseBase:
        """A zip of the release that `python -m ml predict` serves by itself."""
        release = self.get_object()
        return done_or_refused(lambda: zip_response(release))

    @extend_schema(request=s.ReasonSerializer, responses=s.ReleaseSerializer)
    @action(detail=False, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request) -> Response:
        """Bring the champion before back."""
        why = _valid(s.ReasonSerializer, request)["why"]
        done_or_refused(lambda: promotion.roll_back(by=person(request), why=why))
        return Response(self.get_serializer(registry.champion()).data)


class ModelVersionViewSet(viewsets.ReadOnlyModelViewSet):
    """Trained models."""

    roles = ENGINEERS
    queryset = models.ModelVersion.objects.select_related("dataset", "parent")
    serializer_class = s.ModelVersionSerializer
    filterset_class = filters.ModelVersionFilter


class EvaluationViewSet(viewsets.ReadOnlyModelViewSet):
    """Releases measured on the frozen sets."""

    roles = ENGINEERS
    queryset = models.Evaluation.objects.select_related("release")
    serializer_class = s.EvaluationSerializer
    filterset_class = filters.EvaluationFilter


class ScanViewSet(viewsets.ReadOnlyModelViewSet):
    """Scores of releases on the pool."""

    roles = ENGINEERS
    queryset = models.Scan.objects.select_related("release")
    serializer_class = s.ScanSerializer
    filterset_class = filters.ScanFilter


class DatasetViewSet(viewsets.ReadOnlyModelViewSet):
    """Frozen training material."""

    roles = STAFF
    queryset = models.DatasetVersion.objects.select_related("parent")
    serializer_class = s.DatasetSerializer
    lookup_field = "sha256"


class MeasurementViewSet(viewsets.ReadOnlyModelViewSet):
    """What is measured, day by day."""

    roles = STAFF
    queryset = models.Measurement.objects.all()
    serializer_class = s.MeasurementSerializer
    filterset_class = filters.MeasurementFilter


class AlertViewSet(viewsets.ReadOnlyModelViewSet):
    """Measures past their limits, and what became of the word sent of them."""

    roles = write_roles = STAFF
    queryset = models.Alert.objects.all()
    serializer_class = s.AlertSerializer
    filterset_class = filters.AlertFilter

    def get_queryset(self):
        return monitoring_selectors.alerts()

    @extend_schema(request=s.AcknowledgeSerializer, responses=s.AlertSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: int) -> Response:
        """Say that somebody has seen an open alert, and what is being done."""
        note = _valid(s.AcknowledgeSerializer, request)["note"]
        alert = self.get_object()
        done_or_refused(lambda: alerts.acknowledge(alert=alert, by=person(request), note=note))
        return Response(self.get_serializer(self.get_object()).data)


def _valid(serializer: type, request: Request) -> dict:
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return asked.validated_data


router = SimpleRouter(use_regex_path=False)
router.register("rounds", RoundViewSet)
router.register("forecasts", ForecastViewSet)
router.register("selections", SelectionViewSet)
router.register("training-runs", TrainingRunViewSet)
router.register("releases", ReleaseViewSet)
router.register("model-versions", ModelVersionViewSet)
router.register("evaluations", EvaluationViewSet)
router.register("scans", ScanViewSet)
router.register("datasets", DatasetViewSet)
router.register("measurements", MeasurementViewSet)
router.register("alerts", AlertViewSet)
