"""The pool scanned anew after a promotion, where a setting says so and nobody has asked."""

import pytest

from active_learning import rescans
from active_learning.models import Release, Scan
from tests.active_learning.factories import ReleaseFactory, ScanFactory
from tests.demo_rows import make_people
from tests.factories import ImageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def champion(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.RESCAN_AFTER_PROMOTION = True
    ImageFactory.create_batch(3, split="pool")
    return ReleaseFactory(state="champion")


def test_a_champion_without_a_scan_gets_one_and_only_one(champion):
    scan = rescans.rescan_if_due()
    assert (scan.release, scan.rows, scan.state) == (champion, 3, "queued")
    assert rescans.rescan_if_due() is None
    assert Scan.objects.count() == 1


def test_nothing_is_scanned_unless_the_setting_says_so(champion, settings):
    settings.RESCAN_AFTER_PROMOTION = False
    assert rescans.rescan_if_due() is None
    assert not Scan.objects.exists()


@pytest.mark.parametrize("state", ["queued", "succeeded", "failed", "cancelled"])
def test_one_that_somebody_asked_for_is_enough_whatever_became_of_it(champion, state):
    ScanFactory(release=champion, state=state)
    assert rescans.rescan_if_due() is None


def test_the_next_champion_gets_its_own(champion):
    rescans.rescan_if_due()
    Release.objects.update(state="retired")
    after = ReleaseFactory(state="champion")
    assert rescans.rescan_if_due().release == after


def test_without_a_champion_or_a_pool_nothing_is_due(settings, tmp_path):
    settings.DATA_DIR, settings.RESCAN_AFTER_PROMOTION = tmp_path, True
    assert rescans.rescan_if_due() is None
    ReleaseFactory(state="champion")
    assert rescans.rescan_if_due() is None
    with pytest.raises(rescans.NothingToScan, match="pool is empty"):
        rescans.request_rescan()


def test_a_person_may_ask_for_it_whatever_the_setting(champion, settings):
    settings.RESCAN_AFTER_PROMOTION = False
    by = make_people()["ml_engineer"]
    scan = rescans.request_rescan(by=by)
    assert scan.requested_by == by
    assert rescans.request_rescan(by=by) == scan
