"""The webhook: store what arrives, answer at once, work it off later. Label Studio waits one
second and does not try again."""

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from annotation.labelstudio.absorb import absorb
from annotation.labelstudio.accounts import owner_client
from annotation.labelstudio.client import LabelStudioError
from annotation.labelstudio.poll import poll_project
from annotation.labelstudio.projects import SECRET_HEADER
from annotation.models import InboxEvent, LabelStudioProject
from annotation.signals import answers_taken

logger = logging.getLogger(__name__)

BATCH = 200
KEPT = timedelta(days=2)


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Take an event from Label Studio, which shows a shared secret: it signs nothing."""
    secret = settings.LABEL_STUDIO_WEBHOOK_SECRET
    shown = request.headers.get(SECRET_HEADER, "")
    if not secret or not constant_time_compare(shown, secret):
        return HttpResponseForbidden("wrong secret")
    try:
        payload = json.loads(request.body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        return HttpResponse("not a JSON object", status=400)
    InboxEvent.objects.get_or_create(
        digest=hashlib.sha256(request.body).hexdigest(), defaults={"payload": payload}
    )
    return HttpResponse(status=204)


def process_inbox() -> int:
    """Work off stored events. An event only says where to look: what is written down is what
    Label Studio holds now. Returns the number of labels written."""
    events = defaultdict(list)
    for event in InboxEvent.objects.filter(processed_at=None)[:BATCH]:
        events[_project_id(event.payload)].append(event)
    projects = {project.remote_id: project for project in LabelStudioProject.objects.all()}
    written = 0
    for remote_id, project_events in events.items():
        project = projects.get(remote_id) if remote_id else None
        if project is None:
            _close(project_events, error="of no project of ours")
        else:
            written += _process(project, project_events)
    if events:
        answers_taken.send(sender=InboxEvent)
    return written


def _process(project: LabelStudioProject, events: Sequence[InboxEvent]) -> int:
    tasks = [_task_ids(event.payload) for event in events]
    try:
        if all(tasks):
            remotes = owner_client().tasks(
                project=project.remote_id, ids=sorted(set().union(*tasks)), annotations=True
            )
            outcome = absorb(remotes=remotes)
        else:  # a deletion does not say of which task
            outcome = poll_project(project=project)
    except LabelStudioError as error:
        logger.warning("%d events of the %s wait: %s", len(events), project, error)
        if error.retry:
            _note(events, error=str(error))
        else:
            _close(events, error=str(error))
        return 0
    _close(events, error="; ".join(outcome.unreadable))
    return outcome.written


def _project_id(payload: dict) -> int | None:
    project = payload.get("project")
    return project.get("id") if isinstance(project, dict) else None


def _task_ids(payload: dict) -> set[int]:
    """The tasks an event is about; none when it does not say."""
    annotations = payload.get("annotations") or [payload.get("annotation") or {}]
    return {annotation["task"] for annotation in annotations if annotation.get("task")}


def _note(events: Sequence[InboxEvent], *, error: str) -> None:
    InboxEvent.objects.filter(pk__in=[event.pk for event in events]).update(error=error)


def _close(events: Sequence[InboxEvent], *, error: str) -> None:
    InboxEvent.objects.filter(pk__in=[event.pk for event in events]).update(
        processed_at=timezone.now(), error=error
    )


def drop_old_events() -> None:
    """Events carry the whole project each time: worked-off ones are kept for a while only."""
    InboxEvent.objects.filter(processed_at__lt=timezone.now() - KEPT).delete()
