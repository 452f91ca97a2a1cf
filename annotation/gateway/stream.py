"""What the labelling page asks for to show a task."""

from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from django.core.cache import cache
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from annotation import assignments
from annotation.assignments import Handed
from annotation.gateway import trimming, work
from annotation.gateway.guard import GatewayRequest
from annotation.gateway.pages import ONLY
from annotation.gateway.replies import told
from annotation.labelstudio.absorb import ERA
from annotation.models import Label, LabelStudioProject, Task

HISTORY = 50


@require_POST
def actions(request: GatewayRequest) -> HttpResponse:
    """The one action there is: the next task, chosen by us. What else the request says about which
    tasks it wants is not read."""
    if request.GET.getlist("id") != ["next_task"]:
        raise Http404
    project = _project(request)
    handed = _next(request, project)
    if handed is None:
        return _no_more()
    return told(work.show(visitor=request.visitor, handed=handed, project=project))


@require_safe
def task(request: GatewayRequest, remote_id: int) -> HttpResponse:
    """A task that was handed to this person."""
    found = work.task_or_404(user=request.user, remote_id=remote_id)
    return told(work.fetch(visitor=request.visitor, task=found))


@require_safe
def history(request: GatewayRequest, project: int) -> HttpResponse:
    """What this person answered last, oldest first."""
    kind = work.project_or_404(project).kind
    labels = Label.objects.filter(
        by=request.user, kind=kind, remote_id__isnull=False, retracted=False,
        superseded_by__isnull=True, task__remote_id__isnull=False,
    )  # fmt: skip
    rows = labels.order_by("-pk").values_list("task__remote_id", "remote_id")[:HISTORY]
    shown = [{"taskId": task, "annotationId": (label or 0) % ERA} for task, label in reversed(rows)]
    return told(shown)


@require_safe
def project(request: GatewayRequest, project: int) -> HttpResponse:
    """The project's settings as far as the page needs them."""
    work.project_or_404(project)
    return told(trimming.project(request.visitor.ask("GET", f"/api/projects/{project}/")))


@require_safe
def project_state(request: GatewayRequest) -> HttpResponse:
    """The same, where the list of tasks asks for it."""
    found = _project(request).remote_id
    remote = request.visitor.ask("GET", "/api/dm/project", query={"project": found})
    return told(trimming.project(remote))


@require_safe
def columns(request: GatewayRequest) -> HttpResponse:
    """The columns a list of tasks would have."""
    found = _project(request).remote_id
    return told(
        trimming.columns(request.visitor.ask("GET", "/api/dm/columns", query={"project": found}))
    )


@require_safe
def whoami(request: GatewayRequest) -> HttpResponse:
    """Who this person is in Label Studio; it seldom changes."""
    key = f"gateway:whoami:{request.visitor.entry.remote_id}"
    known = cache.get(key)
    if known is None:
        known = trimming.whoami(request.visitor.ask("GET", "/api/current-user/whoami"))
        cache.set(key, known, 60)
    return told(known)


def _project(request: GatewayRequest) -> LabelStudioProject:
    """The project a query names, once."""
    named = request.GET.getlist("project")
    if len(named) != 1 or not named[0].isascii() or not named[0].isdecimal():
        raise Http404
    return work.project_or_404(int(named[0][:18]))


def _next(request: GatewayRequest, project: LabelStudioProject) -> Handed | None:
    """The task the page was opened for, once; on the ordinary page the next of the stream."""
    only = _opened_for(request)
    if only is None:
        return assignments.hand_out(user=request.user, kind=project.kind)
    task = Task.objects.filter(pk=only, kind=project.kind, remote_id__isnull=False).first()
    if task is None or not assignments.may_open(user=request.user, task=task):
        raise Http404
    if work.is_answered(user=request.user, task=task):
        return None
    work.reserve(user=request.user, task=task)
    return Handed(task, first=False)


def _opened_for(request: GatewayRequest) -> UUID | None:
    """The page says in its own address which task it was opened for."""
    said = parse_qs(urlsplit(request.headers.get("Referer", "")).query).get(ONLY)
    try:
        return UUID(said[0]) if said else None
    except ValueError as error:
        raise Http404 from error


def _no_more() -> HttpResponse:
    """As Label Studio says it at the end of a queue: the page then tells the labeler."""
    return told(
        {
            "id": str(uuid4()),
            "status_code": 404,
            "detail": "There are no tasks for you now.",
            "exc_info": None,
        },
        status=404,
    )
