"""Pages of sources: where images come from, and how right what is said of them is."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from active_learning import jobs, source_checks
from active_learning import sources as verbs
from active_learning.filters import SourceFilter
from active_learning.models import Source
from active_learning.models.jobs import ACTIVE
from active_learning.rightness import Trust
from active_learning.selection import detection_set
from active_learning.selectors import sources as selectors
from active_learning.source_form import ChangeForm, SourceForm, initial
from active_learning.views.acting import act
from annotation.access import ENGINEERS, STAFF, PageRequest, roles_allowed
from annotation.listing import listing
from annotation.live import live
from ml.errors import InputError

REFUSALS = (jobs.JobError, InputError)


@require_safe
@roles_allowed(*STAFF)
def source_list(request: PageRequest) -> HttpResponse:
    """Every source with its last run and its rightness."""
    trust = Trust.read()
    page = listing(request, queryset=selectors.sources(), filters=SourceFilter, per_page=40)
    context = {
        "listing": page,
        "rows": selectors.rows(page=list(page.page), trust=trust),
        "by_hand": selectors.by_hand(trust),
        "least": settings.SOURCE_LEAST_RIGHTNESS,
        "least_answers": settings.SOURCE_LEAST_ANSWERS,
    }
    return render(request, "sources/list.html", context)


@require_safe
@roles_allowed(*STAFF)
def source_detail(request: PageRequest, name: str) -> HttpResponse:
    """What a source is, how right it is, and its runs."""
    source = get_object_or_404(selectors.sources(), name=name)
    page = listing(request, queryset=selectors.runs().filter(source=source), per_page=20)
    runs = list(page.page)
    context = {
        "source": source,
        "listing": page,
        "runs": runs,
        "is_busy": any(run.state in ACTIVE for run in runs),
        "live": live(request, shown=[(run.pk, run.state, run.metrics) for run in runs]),
    }
    if request.htmx.target == "runs":
        return render(request, "sources/_runs.html", context)
    trust = Trust.read()
    context |= {
        "row": selectors.rows(page=[source], trust=trust)[0],
        "brands": selectors.by_brand(source, trust),
        "least_answers": settings.SOURCE_LEAST_ANSWERS,
    }
    return render(request, "sources/detail.html", context)


@require_safe
@roles_allowed(*STAFF)
def run_detail(request: PageRequest, pk: int) -> HttpResponse:
    """A run with what it would not take, and why."""
    run = get_object_or_404(selectors.runs(), pk=pk)
    page = listing(request, queryset=selectors.refusals(run), per_page=100)
    context = {
        "run": run,
        "listing": page,
        "refusals": page.page,
        "is_busy": run.state in ACTIVE,
        "live": live(request, shown=[run.state, run.progress, run.metrics]),
    }
    is_part = request.htmx.target == "run"
    return render(request, "sources/_run.html" if is_part else "sources/run.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_allowed(*STAFF)
def source_new(request: PageRequest) -> HttpResponse:
    form = SourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        made = _save(
            form,
            lambda: verbs.create_source(name=name, settings=form.told(), by=request.user),
        )
        if made:
            return redirect("source", name)
    return _form(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_allowed(*STAFF)
def source_change(request: PageRequest, name: str) -> HttpResponse:
    source = get_object_or_404(selectors.sources(), name=name)
    form = ChangeForm(request.POST or None, initial=initial(source))
    if request.method == "POST" and form.is_valid():
        changed = _save(
            form,
            lambda: verbs.change_source(source=source, settings=form.told(), by=request.user),
        )
        if changed:
            return redirect("source", name)
    return _form(request, form, source)


def _save(form: SourceForm, verb: Callable[[], object]) -> bool:
    """Do it, or say on the form why not."""
    try:
        verb()
    except verbs.SourceError as error:
        form.add_error(None, str(error))
        return False
    return True


def _form(request: PageRequest, form: SourceForm, source: Source | None) -> HttpResponse:
    context = {"form": form, "source": source}
    return render(request, "sources/form.html", context, status=400 if form.errors else 200)


@require_POST
@roles_allowed(*STAFF)
def source_run(request: PageRequest, name: str) -> HttpResponse:
    source = get_object_or_404(Source, name=name)
    return act(
        request,
        lambda: verbs.request_run(source=source, by=request.user),
        done=_("It is queued to be taken in."),
        to=reverse("source", args=[name]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*STAFF)
def source_check(request: PageRequest, name: str) -> HttpResponse:
    """Ask people, blind, about some of its images."""
    source = get_object_or_404(Source, name=name)
    return act(
        request,
        lambda: source_checks.check_at_random(
            source=source.name, count=_count(request), by=request.user
        ),
        done=_("Labelers are asked about them, without being told what the source says."),
        to=reverse("source", args=[name]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*STAFF)
def run_cancel(request: PageRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(selectors.runs(), pk=pk)
    return act(
        request,
        lambda: verbs.cancel_run(run=run, by=request.user),
        done=_("It is being cancelled; what was taken in stays."),
        to=reverse("source-run-detail", args=[pk]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*STAFF)
def run_resume(request: PageRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(selectors.runs(), pk=pk)
    return act(
        request,
        lambda: verbs.resume_run(run=run, by=request.user),
        done=_("It goes on behind what was taken in."),
        to=reverse("source-run-detail", args=[pk]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def boxes_ask(request: PageRequest) -> HttpResponse:
    """Draw images of the detection set from the classification set."""
    return act(
        request,
        lambda: detection_set.draw(count=_count(request), seed=int(timezone.now().timestamp())),
        done=_("Labelers are asked to box them."),
        to=reverse("sources"),
        refusals=REFUSALS,
    )


def _count(request: PageRequest) -> int:
    try:
        return int(request.POST.get("count", ""))
    except ValueError as error:
        raise InputError(_("Give a number of images.")) from error
