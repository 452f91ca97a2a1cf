"""Beat's errands to Label Studio. Each may run twice or not at all; of each kind only one runs at
a time, and one that finds another at work leaves it to that."""

import logging
from collections.abc import Callable
from contextlib import ExitStack

from celery import shared_task

from annotation import assignments, copies, skills
from annotation.labelstudio import inbox, poll, push
from annotation.labelstudio import reconcile as reconciliation
from annotation.labelstudio.absorb import READING
from annotation.labelstudio.client import LabelStudioError
from annotation.locks import advisory_lock
from annotation.models import Image

logger = logging.getLogger(__name__)
PUSHING = "labelstudio:push"


@shared_task
def push_tasks() -> None:
    _errand(push.push_tasks, PUSHING)


@shared_task
def process_inbox() -> None:
    _errand(inbox.process_inbox, READING)


@shared_task
def poll_annotations() -> None:
    _errand(poll.poll_annotations, READING)


@shared_task
def reconcile() -> None:
    _errand(reconciliation.reconcile, PUSHING, READING)


@shared_task
def tend_quality() -> None:
    """Fit skills, judge people, close what nobody is left to answer; leave it to another run that
    is at it."""
    with advisory_lock("quality") as free:
        if free:
            assignments.expire_assignments()
            skills.tend()


def _errand(work: Callable[[], object], *locks: str) -> None:
    with advisory_lock(f"labelstudio:errand:{work.__name__}") as free, ExitStack() as held:
        if not free:
            return
        for name in locks:
            held.enter_context(advisory_lock(name, wait=True))
        try:
            work()
        except LabelStudioError as error:
            # Noted and left to the next beat: that is what makes an outage harmless.
            logger.warning("%s: %s", work.__name__, error)


@shared_task
def find_copies(image_id: int) -> None:
    """Safe to run twice: what is known already is kept."""
    image = Image.objects.filter(pk=image_id).first()
    if image is None:
        return
    try:
        copies.find_copies(image=image)
    except FileNotFoundError:
        logger.warning("image %s: its file is gone, no copies can be found", image_id)
