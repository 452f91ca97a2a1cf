"""How far the embeddings of a new champion are, and searching cases by a picture sent in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from active_learning import embeddings as verbs
from active_learning.jobs import JobError
from active_learning.models import EmbeddingRun
from active_learning.views.acting import act
from annotation import vectors
from annotation.access import STAFF, PageRequest, roles_allowed
from annotation.live import live
from annotation.models import Case
from annotation.selectors import cases as selectors
from annotation.uploads import UploadError, store_picture

FOLDER = "searches"


@require_safe
@roles_allowed(*STAFF)
def state(request: PageRequest) -> HttpResponse:
    """The part of the case library that says what is being embedded."""
    now = verbs.filling()
    shown = None if now is None else (now.done, now.wanted, now.stopped)
    context = {"filling": now, "live": live(request, shown=shown)}
    return render(request, "cases/_embedding.html", context)


@require_POST
@roles_allowed(*STAFF)
def cancel(request: PageRequest) -> HttpResponse:
    return act(
        request,
        lambda: verbs.cancel_filling(by=request.user),
        done=_("No more embeddings are made until somebody resumes it."),
        to=reverse("cases"),
        refusals=(JobError,),
    )


@require_POST
@roles_allowed(*STAFF)
def resume(request: PageRequest) -> HttpResponse:
    return act(
        request,
        lambda: verbs.resume_filling(by=request.user),
        done=_("Embeddings are being made again."),
        to=reverse("cases"),
        refusals=(JobError,),
    )


@require_POST
@roles_allowed(*STAFF)
def search(request: PageRequest) -> HttpResponse:
    """Take a picture in and queue its embedding; what is like it shows on the next page."""
    picture = request.FILES.get("picture")
    if picture is None:
        messages.error(request, _("Choose a picture to search with."))
        return redirect("cases")
    try:
        stored = store_picture(upload=picture, folder=FOLDER)
        run = verbs.search_by_picture(file=stored.file, by=request.user)
    except (UploadError, JobError) as refusal:
        messages.error(request, str(refusal))
        return redirect("cases")
    return redirect("picture-search-result", run.pk)


@require_safe
@roles_allowed(*STAFF)
def result(request: PageRequest, pk: int) -> HttpResponse:
    """Cases like a picture sent in, as soon as it has been looked at."""
    run = get_object_or_404(EmbeddingRun.objects.select_related("space").exclude(picture=""), pk=pk)
    context = {"run": run, "live": live(request, shown=run.state), "may_write": False}
    if vector := run.metrics.get("vector"):
        context["outdated"] = run.space != vectors.serving_space()
        if not context["outdated"]:
            active = Case.objects.filter(state=Case.State.ACTIVE)
            context["found"] = selectors.like_vector(queryset=active, vector=vector)
    part = request.htmx.target == "found"
    return render(request, "cases/_picture.html" if part else "cases/picture.html", context)
