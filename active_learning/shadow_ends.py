"""What follows when a shadow is over: its release is settled, or, where the gates had turned that
down before, its figures are written for whoever asked."""

import logging

from django.db.models import Q

from active_learning import contests, settling, shadows
from active_learning.models import Release, Shadow
from annotation.locks import advisory_lock

logger = logging.getLogger(__name__)


def bring_to_an_end() -> None:
    """Bring every shadow as far as it can be brought now. One caller at a time; another leaves it
    to that."""
    with advisory_lock("shadows") as held:
        if not held:
            return
        candidates = Shadow.objects.filter(release__state=Release.State.CANDIDATE)
        unfinished = Shadow.objects.filter(Q(state=Shadow.State.RUNNING) | Q(report={}))
        for shadow in (candidates | unfinished).order_by("pk"):
            _bring(shadow)


def _bring(shadow: Shadow) -> None:
    release = shadow.release
    if release.state not in shadows.MAY_ENTER:
        shadows.abandon(shadow)
        return
    if not shadows.is_over(shadow):
        return
    if release.state != Release.State.CANDIDATE:
        shadows.compared(shadow, models=shadows.flagging_models(release))
        return
    try:
        settling.settle(candidate=release)
    except contests.NotEvaluated as error:
        logger.info("%s waits: %s", release, error)
