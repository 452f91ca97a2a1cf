"""The account of a round."""

from datetime import timedelta

import pytest
from django.utils import timezone

from active_learning.loop import orchestration
from active_learning.models import Round, RoundStep, Scan
from tests.active_learning.factories import (
    EvaluationFactory,
    ReleaseFactory,
    ScanFactory,
    TrainingRunFactory,
)

pytestmark = pytest.mark.django_db


def test_orchestration_is_what_neither_jobs_nor_people_took():
    begun = timezone.now() - timedelta(minutes=10)

    def at(seconds: float):
        return begun + timedelta(seconds=seconds)

    champion = ReleaseFactory()
    scan = ScanFactory(release=champion)
    Scan.objects.filter(pk=scan.pk).update(started_at=at(2), finished_at=at(12))
    first = TrainingRunFactory(kind="classifier")
    second = TrainingRunFactory(kind="detector", dataset=first.dataset)
    for run, began, ended in ((first, 55, 80), (second, 60, 90)):
        type(run).objects.filter(pk=run.pk).update(
            created_at=at(50), started_at=at(began), finished_at=at(ended)
        )
    round_ = Round.objects.create(
        number=1, seed=1, scan=scan, champion=champion, dataset=first.dataset
    )
    assert orchestration(round_) is None
    RoundStep.objects.create(
        round=round_, name="collect", position=3, started_at=at(15), finished_at=at(50)
    )
    Round.objects.filter(pk=round_.pk).update(created_at=begun, finished_at=at(100))
    round_.refresh_from_db()
    # 2 before the scan, 3 until the labelling, 5 until the trainings (which overlap), 10 after.
    assert orchestration(round_) == {"seconds": 20.0, "share": 0.2, "behind_others": 0.0}
    other = EvaluationFactory()  # began before it, and ran while the trainings waited
    type(other).objects.filter(pk=other.pk).update(started_at=at(-5), finished_at=at(1))
    other = EvaluationFactory()
    type(other).objects.filter(pk=other.pk).update(started_at=at(49), finished_at=at(53))
    assert orchestration(round_) == {"seconds": 16.0, "share": 0.16, "behind_others": 4.0}
