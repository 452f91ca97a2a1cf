"""The page of all jobs that wait or run: cancelled and run again from there."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import jobs, rescans, resuming
from active_learning.filters import JobFilter
from active_learning.models.jobs import Job
from active_learning.rounds import RoundError
from active_learning.selectors import job_queue as selectors
from active_learning.views.acting import act
from annotation.access import ENGINEERS, PageRequest, roles_allowed
from annotation.listing import listing
from annotation.live import live
from ml.errors import InputError

REFUSALS = (jobs.JobError, RoundError, InputError)


@require_safe
@roles_allowed(*ENGINEERS)
def queue(request: PageRequest) -> HttpResponse:
    """Who asked for what, where it runs and since when; the limits that jobs run under."""
    page = listing(request, queryset=selectors.entries(), filters=JobFilter, per_page=50)
    found = [selectors.Entry(**row) for row in page.page]
    totals = selectors.totals()
    context = {
        "listing": page,
        "entries": found,
        "totals": totals,
        "devices": settings.TRAIN_DEVICES,
        "memory": settings.CHILD_MEMORY_GB,
        "threads": settings.TRAIN_THREADS,
        "live": live(
            request,
            shown=[
                totals,
                [(row.job, row.pk, row.state, row.stage, round(row.progress, 2)) for row in found],
            ],
        ),
    }
    part = request.htmx.target == "queue"
    return render(request, "queue/_jobs.html" if part else "queue/page.html", context)


@require_POST
@roles_allowed(*ENGINEERS)
def job_cancel(request: PageRequest, job: str, pk: int) -> HttpResponse:
    found = _found(job, pk)
    return act(
        request,
        lambda: jobs.cancel(job=found, by=request.user),
        done=_("It is being cancelled."),
        to=_back(request),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def job_resume(request: PageRequest, job: str, pk: int) -> HttpResponse:
    found = _found(job, pk)
    return act(
        request,
        lambda: resuming.resume(job=found, by=request.user),
        done=_("It is queued again."),
        to=_back(request),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def rescan(request: PageRequest) -> HttpResponse:
    return act(
        request,
        lambda: rescans.request_rescan(by=request.user),
        done=_("The champion's scan of the pool is queued."),
        to=_back(request),
        refusals=REFUSALS,
    )


def _found(job: str, pk: int) -> Job:
    if job not in selectors.MODELS:
        raise Http404
    return get_object_or_404(selectors.MODELS[job]._default_manager, pk=pk)


def _back(request: PageRequest) -> str:
    """The page the button was on."""
    page = request.POST.get("next", "")
    own = url_has_allowed_host_and_scheme(page, allowed_hosts={request.get_host()})
    return page if own else reverse("queue")
