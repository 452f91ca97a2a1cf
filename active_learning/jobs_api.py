"""Jobs of all kinds over the API: what waits and runs, to be cancelled and run again, and the
champion's scan of the pool."""

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from active_learning import jobs, rescans, resuming
from active_learning.api import done_or_refused, person
from active_learning.filters import JobFilter
from active_learning.models import TrainingRun
from active_learning.models.jobs import Job
from active_learning.selectors import job_queue
from active_learning.serializers import ScanSerializer
from annotation.access import ENGINEERS


class EntrySerializer(serializers.Serializer):
    """`subject`: what it is of; `cause`: what asked for it where no person did."""

    job = serializers.CharField()
    id = serializers.IntegerField(source="pk")
    state = serializers.CharField()
    subject = serializers.CharField()
    queue = serializers.CharField()
    machine = serializers.CharField()
    device = serializers.CharField()
    stage = serializers.CharField()
    progress = serializers.FloatField()
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    cancel_requested = serializers.BooleanField()
    person = serializers.CharField()
    cause = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    heartbeat_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class StandingSerializer(serializers.Serializer):
    """How a job stands after what was asked of it. `id`: of the job that runs, which is another
    where its release stands anew."""

    id = serializers.IntegerField(source="pk")
    state = serializers.CharField()
    cancel_requested = serializers.BooleanField()


class JobViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Jobs that wait or run; with `state`, those that failed or were cancelled."""

    roles = write_roles = ENGINEERS
    queryset = TrainingRun.objects.all()
    serializer_class = EntrySerializer
    filterset_class = JobFilter

    def get_queryset(self):
        return job_queue.entries()

    @extend_schema(request=None, responses=StandingSerializer, filters=False)
    @action(detail=False, methods=["post"], url_path="<str:job>/<int:pk>/cancel")
    def cancel(self, request: Request, job: str, pk: int) -> Response:
        """Have a waiting or running job end."""
        found = _found(job, pk)
        done_or_refused(lambda: jobs.cancel(job=found, by=person(request)))
        return Response(StandingSerializer(found).data)

    @extend_schema(request=None, responses=StandingSerializer, filters=False)
    @action(detail=False, methods=["post"], url_path="<str:job>/<int:pk>/resume")
    def resume(self, request: Request, job: str, pk: int) -> Response:
        """Run a failed or cancelled job again, and the round that failed with it."""
        found = _found(job, pk)
        resumed = done_or_refused(lambda: resuming.resume(job=found, by=person(request)))
        return Response(StandingSerializer(resumed).data)

    @extend_schema(request=None, responses={201: ScanSerializer}, filters=False)
    @action(detail=False, methods=["post"])
    def rescan(self, request: Request) -> Response:
        """Have the champion scan the pool; the scan there already is given instead."""
        scan = done_or_refused(lambda: rescans.request_rescan(by=person(request)))
        return Response(ScanSerializer(scan).data, status=status.HTTP_201_CREATED)


def _found(job: str, pk: int) -> Job:
    if job not in job_queue.MODELS:
        raise Http404
    return get_object_or_404(job_queue.MODELS[job]._default_manager, pk=pk)


router = SimpleRouter(use_regex_path=False)
router.register("jobs", JobViewSet, basename="job")
