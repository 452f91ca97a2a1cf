"""Asking Label Studio what changed. Webhooks are sent once and dropped when they fail, so this is
what makes sure that every answer arrives."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from django.utils import timezone

from annotation.labelstudio.absorb import Absorbed, absorb
from annotation.labelstudio.accounts import owner_client
from annotation.labelstudio.client import field_filter
from annotation.labelstudio.projects import noting_errors, projects
from annotation.models import LabelStudioProject

# A change shows when its transaction ends, later than the time it carries.
OVERLAP = timedelta(seconds=15)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def poll_annotations() -> int:
    """Read what changed in every project. Returns the number of labels written."""
    written = 0
    for project in projects():
        with noting_errors(project):
            written += poll_project(project=project).written
    return written


def poll_project(*, project: LabelStudioProject) -> Absorbed:
    """Read what changed in one project since the last poll, and how far that reaches."""
    client = owner_client()
    # By Label Studio's clock: ours may differ.
    clock = client.request("GET", "/api/version").headers["Date"]
    asked_at = parsedate_to_datetime(clock)
    since = (project.polled_until or BEGINNING) - OVERLAP
    changed = field_filter(
        "updated_at", "greater", since.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "Datetime"
    )
    outcome = absorb(
        remotes=client.tasks(project=project.remote_id, filters=[changed], annotations=True)
    )
    LabelStudioProject.objects.filter(pk=project.pk).update(
        polled_until=asked_at, last_poll_at=timezone.now()
    )
    return outcome
