"""Pages of training runs."""

import json

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import jobs, triggers
from active_learning import training as verbs
from active_learning.filters import RunFilter
from active_learning.models import ModelKind, TrainingRun
from active_learning.selectors import training as selectors
from active_learning.views.acting import act
from annotation.access import ENGINEERS, PageRequest, roles_allowed
from annotation.listing import listing
from annotation.live import live
from ml.errors import InputError

REFUSALS = (jobs.JobError, InputError)


@require_safe
@roles_allowed(*ENGINEERS)
def run_list(request: PageRequest) -> HttpResponse:
    page = listing(request, queryset=selectors.runs(), filters=RunFilter, per_page=30)
    found = list(page.page)
    context = {
        "listing": page,
        "runs": found,
        "kinds": ModelKind.choices,
        "plans": triggers.plan_triggers(),
        "live": live(
            request, shown=[(run.pk, run.state, run.stage, round(run.progress, 2)) for run in found]
        ),
    }
    is_part = request.htmx.target == "runs"
    return render(request, "training/_runs.html" if is_part else "training/list.html", context)


@require_safe
@roles_allowed(*ENGINEERS)
def run_detail(request: PageRequest, pk: int) -> HttpResponse:
    """A run: state, progress, curves, the end of its log."""
    run = get_object_or_404(selectors.runs(), pk=pk)
    reports = selectors.progress(run)
    context = {
        "run": run,
        "curves": selectors.curves(reports),
        "log": selectors.log_tail(run),
        "config": json.dumps(run.config, indent=2, ensure_ascii=False),
        "live": live(request, shown=[run.state, run.stage, run.progress, len(reports)]),
    }
    is_part = request.htmx.target == "run"
    return render(request, "training/_run.html" if is_part else "training/detail.html", context)


@require_POST
@roles_allowed(*ENGINEERS)
def run_request(request: PageRequest) -> HttpResponse:
    kind = request.POST.get("kind", "")
    return act(
        request,
        lambda: verbs.request_training(
            kind=kind, trigger=TrainingRun.Trigger.PERSON, by=request.user
        ),
        done=_("A training of the %(kind)s is queued.") % {"kind": kind},
        to=reverse("training"),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def run_cancel(request: PageRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(TrainingRun, pk=pk)
    return act(
        request,
        lambda: verbs.cancel_run(run=run, by=request.user),
        done=_("Run %(number)d is being cancelled.") % {"number": pk},
        to=reverse("run", args=[pk]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def run_resume(request: PageRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(TrainingRun, pk=pk)
    return act(
        request,
        lambda: verbs.resume_run(run=run, by=request.user),
        done=_("Run %(number)d is queued again; it goes on from its last checkpoint.")
        % {"number": pk},
        to=reverse("run", args=[pk]),
        refusals=REFUSALS,
    )
