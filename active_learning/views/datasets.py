"""Pages of datasets and their exports."""

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import exports as verbs
from active_learning import jobs
from active_learning.downloads import export_response
from active_learning.models import DatasetExport, DatasetVersion
from active_learning.models.jobs import ACTIVE
from active_learning.selectors import datasets as selectors
from active_learning.selectors import training as run_selectors
from active_learning.views.acting import act
from annotation.access import ENGINEERS, STAFF, PageRequest, roles_allowed
from annotation.listing import listing
from annotation.live import live

REFUSALS = (jobs.JobError,)


@require_safe
@roles_allowed(*STAFF)
def dataset_list(request: PageRequest) -> HttpResponse:
    page = listing(request, queryset=selectors.datasets(), per_page=30)
    return render(request, "datasets/list.html", {"listing": page, "datasets": page.page})


@require_safe
@roles_allowed(*STAFF)
def dataset_detail(request: PageRequest, sha256: str) -> HttpResponse:
    """What exactly was trained on, what that changed against the version before, and exports."""
    dataset = get_object_or_404(selectors.datasets(), sha256=sha256)
    exports = list(selectors.exports().filter(dataset=dataset)[: selectors.SHOWN])
    context = {
        "dataset": dataset,
        "exports": exports,
        "formats": DatasetExport.Format.choices,
        "live": live(request, shown=[(row.pk, row.state, row.progress) for row in exports]),
        "is_busy": any(row.state in ACTIVE for row in exports),
    }
    if request.htmx.target == "exports":
        return render(request, "datasets/_exports.html", context)
    context |= {
        "counts": selectors.counts(dataset),
        "examples": selectors.change_cards(dataset),
        "models": selectors.models_of(dataset),
        "runs": run_selectors.runs().filter(dataset=dataset)[: selectors.SHOWN],
    }
    return render(request, "datasets/detail.html", context)


@require_POST
@roles_allowed(*ENGINEERS)
def export_request(request: PageRequest, sha256: str) -> HttpResponse:
    dataset = get_object_or_404(DatasetVersion, sha256=sha256)
    to = request.POST.get("format", "")
    return act(
        request,
        lambda: verbs.request_export(dataset=dataset, to=to, by=request.user),
        done=_("The export is queued, or there already."),
        to=reverse("dataset", args=[sha256]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def export_cancel(request: PageRequest, pk: int) -> HttpResponse:
    export = get_object_or_404(selectors.exports(), pk=pk)
    return act(
        request,
        lambda: jobs.cancel(job=export, by=request.user),
        done=_("The export is being cancelled."),
        to=reverse("dataset", args=[export.dataset.sha256]),
        refusals=REFUSALS,
    )


@require_POST
@roles_allowed(*ENGINEERS)
def export_delete(request: PageRequest, pk: int) -> HttpResponse:
    export = get_object_or_404(selectors.exports(), pk=pk)
    return act(
        request,
        lambda: verbs.delete_export(export=export, by=request.user),
        done=_("The export is deleted."),
        to=reverse("dataset", args=[export.dataset.sha256]),
        refusals=REFUSALS,
    )


@require_safe
@roles_allowed(*STAFF)
def export_file(request: PageRequest, pk: int) -> HttpResponseBase:
    """The zip file of an export that has succeeded."""
    return export_response(get_object_or_404(selectors.exports(), pk=pk))
