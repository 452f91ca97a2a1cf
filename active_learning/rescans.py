"""Scanning the pool anew by a champion that nobody has had scan it yet: what it flags, and what a
round would ask, is read from its newest scan."""

import logging

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from active_learning import datasets, scans
from active_learning.jobs import JobError
from active_learning.models import Release, Scan
from active_learning.promotion import champion
from annotation.locks import advisory_lock
from annotation.models import Image

logger = logging.getLogger(__name__)


class NothingToScan(JobError):
    """There is no champion or no pool; the message is for a person."""


def request_rescan(*, by: User | None = None) -> Scan:
    """Queue the champion's scan of the pool as it is now; the one there already, unless it ended
    badly, is returned instead.

    Raises:
        NothingToScan: there is no champion, or the pool is empty.
    """
    release = champion()
    if release is None:
        raise NothingToScan(_("There is no champion yet: the first round makes one."))
    manifest = datasets.pool_manifest()
    if not len(manifest):
        raise NothingToScan(_("The pool is empty: there is nothing to scan."))
    return scans.request_scan(release=release, manifest=manifest, by=by)


def rescan_if_due() -> Scan | None:
    """With RESCAN_AFTER_PROMOTION: queue the scan of a champion that has none, not even one that
    failed or was cancelled, which a person has run again. None where nothing is due."""
    if not settings.RESCAN_AFTER_PROMOTION:
        return None
    with advisory_lock("rescan") as free:
        release = champion() if free else None
        if release is None or not is_due(release):
            return None
        scan = request_rescan()
        logger.info("%s: the pool is scanned by %s", scan, release)
        return scan


def is_due(release: Release) -> bool:
    """Whether nobody has asked for a scan by this release, and there is something to scan."""
    if release.scans.filter(purpose=Scan.Purpose.POOL).exists():
        return False
    return Image.objects.filter(split=Image.Split.POOL).exists()
