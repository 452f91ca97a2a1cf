"""Answers and unfinished ones, each this person's own."""

from collections.abc import Mapping
from typing import Any

from django.core.cache import cache
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation import assignments
from annotation.gateway import trimming, work
from annotation.gateway.guard import GatewayRequest
from annotation.gateway.replies import body_of, refused, told
from annotation.gateway.shapes import check_answer, check_draft
from annotation.gateway.upstream import Entry
from annotation.locks import advisory_lock
from annotation.models import Task

SENT_SECONDS = 3600


@require_http_methods(["POST"])
def annotations(request: GatewayRequest, remote_id: int) -> HttpResponse:
    """A person's answer to a task that was handed to them: one each."""
    task = work.task_or_404(user=request.user, remote_id=remote_id)
    answer = check_answer(_answer_of(request), task=task)
    with advisory_lock(f"gateway:answer:{task.pk}:{request.user.pk}", wait=True):
        if work.is_answered(user=request.user, task=task):
            says = _("You have answered this task already; change that answer instead.")
            return refused(request, status=409, says=says)
        work.reserve(user=request.user, task=task)
        written = _write(request, task, answer)
        assignments.settle_assignment(task=task, user=request.user)
        cache.delete(_sent_key(request, task))
    return told(trimming.annotation(written), status=201)


def _write(request: GatewayRequest, task: Task, answer: dict[str, Any]) -> dict[str, Any]:
    """Send an answer so that it arrives once: after an attempt whose end nobody saw, what is there
    is changed instead."""
    visitor = request.visitor
    if cache.get(_sent_key(request, task)):
        remote = work.read(visitor=visitor, task=task)
        for there in remote["annotations"]:
            if trimming.is_own(there, entry=visitor.entry):
                return dict(visitor.ask("PATCH", f"/api/annotations/{there['id']}/", body=answer))

    def own(entry: Entry) -> dict[str, Any]:
        return {**answer, "completed_by": entry.remote_id}

    def again() -> None:
        """The session was closed: so was perhaps the Label Studio that knew this number."""
        work.read(visitor=visitor, task=task)

    work.make_sure_it_is_there(visitor=visitor, task=task)
    cache.set(_sent_key(request, task), True, SENT_SECONDS)
    return dict(
        visitor.ask(
            "POST", f"/api/tasks/{task.remote_id}/annotations/", body=own, before_repeat=again
        )
    )


def _sent_key(request: GatewayRequest, task: Task) -> str:
    return f"gateway:sent:{task.pk}:{request.user.pk}"


@require_http_methods(["GET", "HEAD", "PATCH"])
def annotation(request: GatewayRequest, remote_id: int) -> HttpResponse:
    """One's own answer, to look at and to change."""
    task = _task_of(request, work.own_annotation_or_404(
        visitor=request.visitor, remote_id=remote_id
    ))  # fmt: skip
    path = f"/api/annotations/{remote_id}/"
    if request.method != "PATCH":
        return told(trimming.annotation(request.visitor.ask("GET", path)))
    answer = check_answer(_answer_of(request), task=task)
    return told(trimming.annotation(request.visitor.ask("PATCH", path, body=answer)))


@require_http_methods(["GET", "HEAD", "POST"])
def drafts(
    request: GatewayRequest, remote_id: int, annotation_id: int | None = None
) -> HttpResponse:
    """Unfinished answers to a task, or changes to an answer of one's own."""
    task = work.task_or_404(user=request.user, remote_id=remote_id)
    if annotation_id is not None:
        owner = work.own_annotation_or_404(visitor=request.visitor, remote_id=annotation_id)
        if owner != task.remote_id:
            raise Http404
    if request.method != "POST":
        return told(work.fetch(visitor=request.visitor, task=task)["drafts"])
    work.make_sure_it_is_there(visitor=request.visitor, task=task)
    between = "" if annotation_id is None else f"/annotations/{annotation_id}"
    path = f"/api/tasks/{task.remote_id}{between}/drafts"
    written = request.visitor.ask("POST", path, body=check_draft(body_of(request), task=task))
    return told(trimming.draft(written), status=201)


@require_http_methods(["GET", "HEAD", "PATCH", "DELETE"])
def draft(request: GatewayRequest, remote_id: int) -> HttpResponse:
    """One's own unfinished answer."""
    task = _task_of(request, work.own_draft_or_404(visitor=request.visitor, remote_id=remote_id))
    path = f"/api/drafts/{remote_id}/"
    if request.method == "DELETE":
        request.visitor.ask("DELETE", path)
        return HttpResponse(status=204)
    if request.method != "PATCH":
        return told(trimming.draft(request.visitor.ask("GET", path)))
    body = check_draft(body_of(request), task=task)
    return told(trimming.draft(request.visitor.ask("PATCH", path, body=body)))


def _task_of(request: GatewayRequest, remote_id: int) -> Task:
    return work.task_or_404(user=request.user, remote_id=remote_id)


def _answer_of(request: GatewayRequest) -> Mapping[str, Any]:
    """The body, with the skip that Label Studio's page says in the query instead."""
    body = body_of(request)
    said = request.GET.getlist("was_cancelled")
    if len(said) > 1:
        raise BadRequest("was_cancelled is given twice")
    if said:
        body["was_cancelled"] = said[0].lower() in ("1", "true")
    return body
