"""The labelling page itself, and the ways to it."""

import base64
import hashlib
import re
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from annotation import assignments
from annotation.gateway import keyboard, work
from annotation.gateway.guard import URLS, GatewayRequest, policy
from annotation.gateway.replies import refused
from annotation.models import LabelStudioProject, Task

_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)
ONLY = "only"


@require_safe
def my_work(request: GatewayRequest, **kwargs: object) -> HttpResponse:
    """Everything that is not labelling is on our own pages."""
    return HttpResponseRedirect(f"{settings.PUBLIC_URL}/me/")


@require_safe
def stream(request: GatewayRequest, project: int) -> HttpResponse:
    """The labelling stream of one project, which is all its pages there are."""
    work.project_or_404(project)
    if request.GET.getlist("labeling") != ["1"]:
        return HttpResponseRedirect(stream_path(project))
    upstream = request.visitor.open("GET", f"/projects/{project}/data", query={"labeling": 1})
    try:
        page = upstream.read().decode()
    finally:
        upstream.close()
    if upstream.status_code != 200:
        raise Http404
    page = keyboard.add_to(page)
    response = HttpResponse(page)
    response.headers["Content-Security-Policy"] = policy(_hashes(page))
    return response


@require_safe
def open_task(request: GatewayRequest, pk: UUID) -> HttpResponse:
    """One task by our number, in the labelling page; it is the only one the page shows."""
    task = Task.objects.filter(pk=pk).first()
    if task is None or not assignments.may_open(user=request.user, task=task):
        raise Http404
    project = LabelStudioProject.objects.filter(kind=task.kind).first()
    if task.state == Task.State.WITHDRAWN:
        return refused(request, status=410, says=_("This task was taken back."))
    if project is None or task.remote_id is None:
        says = _("This task is still on its way to Label Studio: try again in a minute.")
        return refused(request, status=503, says=says)
    return HttpResponseRedirect(f"{stream_path(project.remote_id)}&{ONLY}={task.pk}")


def stream_path(project: int) -> str:
    return reverse("stream", urlconf=URLS, kwargs={"project": project}) + "?labeling=1"


def _hashes(page: str) -> str:
    """The scripts inside the page, as a policy names them: these and no others run."""
    found = [hashlib.sha256(text.encode()).digest() for text in _SCRIPT.findall(page)]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in found)


def denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Whatever has no route."""
    return refused(request, status=404, says=_("There is no such page here."))


def failed(request: HttpRequest) -> HttpResponse:
    """A mistake of ours."""
    return refused(request, status=500, says=_("Something went wrong on our side."))


def bad(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """A request that cannot be read."""
    return refused(request, status=400, says=_("This request cannot be read."))
