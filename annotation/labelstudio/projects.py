"""The three Label Studio projects, one a kind of task, and the webhook of each."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import transaction

from annotation.labelstudio.accounts import owner_client
from annotation.labelstudio.client import LabelStudioError
from annotation.labelstudio.configs import project_settings
from annotation.labelstudio.outbox import forget_remote
from annotation.models import LabelStudioProject, Task

logger = logging.getLogger(__name__)

WEBHOOK_PATH = "/labelstudio/webhook/"
SECRET_HEADER = "X-Touchstone-Secret"  # noqa: S105 - the name of a header
ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)


def ensure_projects() -> list[LabelStudioProject]:
    """All three projects, made or brought up to date, each with a webhook that is switched on.
    Where Label Studio lost a project, its tasks go back to the outbox. Raises LabelStudioError."""
    return [_ensure_project(kind) for kind in Task.Kind.values]


def projects() -> list[LabelStudioProject]:
    """The three projects as last ensured; made when there are not three yet."""
    known = list(LabelStudioProject.objects.all())
    return known if len(known) == len(Task.Kind.values) else ensure_projects()


@contextmanager
def noting_errors(project: LabelStudioProject) -> Iterator[None]:
    """Work on one project: a failure is written down where people see it, and the work is done
    again by the next beat; the other projects go on."""
    try:
        yield
    except LabelStudioError as error:
        logger.warning("%s: %s", project, error)
        LabelStudioProject.objects.filter(pk=project.pk).update(last_error=str(error)[:1000])
    else:
        LabelStudioProject.objects.filter(pk=project.pk).exclude(last_error="").update(
            last_error=""
        )


def _ensure_project(kind: str) -> LabelStudioProject:
    wanted = project_settings(kind)
    config_hash = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    project = LabelStudioProject.objects.filter(kind=kind).first()
    if project is not None and not _is_there(project, wanted):
        detach(project=project)
        project = None
    if project is None:
        # Found by its description: it was made by us when a kill kept us from noting its number.
        remote_id = _find(wanted) or owner_client().post("/api/projects/", wanted)["id"]
        project = LabelStudioProject.objects.create(kind=kind, remote_id=remote_id, config_hash="")
    if project.config_hash != config_hash:
        owner_client().patch(f"/api/projects/{project.remote_id}/", wanted)
        project.config_hash = config_hash
        project.save(update_fields=["config_hash"])
    with noting_errors(project):
        _ensure_webhook(project)
    return project


def _is_there(project: LabelStudioProject, wanted: dict) -> bool:
    try:
        found = owner_client().get(f"/api/projects/{project.remote_id}/")
    except LabelStudioError as error:
        if error.status == 404:
            return False
        raise
    return bool(found["description"] == wanted["description"])


def _find(wanted: dict) -> int | None:
    taken = set(LabelStudioProject.objects.values_list("remote_id", flat=True))
    answer = owner_client().get("/api/projects/", page_size=1000, include="id,description")
    ids = [
        found["id"]
        for found in answer["results"]
        if found["description"] == wanted["description"] and found["id"] not in taken
    ]
    return min(ids, default=None)


def detach(*, project: LabelStudioProject) -> None:
    """Forget a project that Label Studio lost: its open tasks wait in the outbox again, its
    answered ones keep their labels."""
    held = Task.objects.filter(kind=project.kind, remote_id__isnull=False)
    with transaction.atomic():
        forget_remote(task_ids=held.values_list("pk", flat=True))
        project.delete()
    logger.warning("Label Studio has lost its %s", project)


def _ensure_webhook(project: LabelStudioProject) -> None:
    """Label Studio switches a webhook off after failures; its tasks then only come in by poll."""
    if not settings.LABEL_STUDIO_WEBHOOK_SECRET:
        return
    client = owner_client()
    wanted = {
        "project": project.remote_id,
        "url": settings.WEBHOOK_BASE_URL + WEBHOOK_PATH,
        "headers": {SECRET_HEADER: settings.LABEL_STUDIO_WEBHOOK_SECRET},
        "send_payload": True,
        "send_for_all_actions": False,
        "actions": list(ACTIONS),
        "is_active": True,
    }
    ours, *rest = [
        hook
        for hook in client.get("/api/webhooks/", project=project.remote_id)
        if hook["project"] == project.remote_id
        and (hook["url"] == wanted["url"] or hook["id"] == project.webhook_id)
    ] or [None]
    for hook in rest:
        client.delete(f"/api/webhooks/{hook['id']}/")
    if ours is None:
        ours = client.post("/api/webhooks/", wanted)
    elif any(_differs(ours[name], value) for name, value in wanted.items()):
        ours = client.patch(f"/api/webhooks/{ours['id']}/", wanted)
    if project.webhook_id != ours["id"]:
        project.webhook_id = ours["id"]
        project.save(update_fields=["webhook_id"])


def _differs(found: object, wanted: object) -> bool:
    if isinstance(found, list) and isinstance(wanted, list):
        return sorted(found) != sorted(wanted)
    return found != wanted
