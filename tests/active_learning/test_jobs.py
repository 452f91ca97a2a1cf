"""Who may hold a job, and which moves it may make."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from active_learning import jobs, tasks
from active_learning.jobs import ForbiddenMove, LeaseLost
from active_learning.models import JobState, TrainingRun
from tests.active_learning.factories import EvaluationFactory, ScanFactory, TrainingRunFactory

pytestmark = pytest.mark.django_db


def lapse(job):
    """Its supervisor has not been heard of for an hour."""
    type(job).objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))


def running(job):
    lease = jobs.claim(type(job), job.pk)
    job.refresh_from_db()
    return lease


def test_a_queued_job_is_claimed_once():
    run = TrainingRunFactory()
    assert jobs.claim(TrainingRun, run.pk) is not None
    assert jobs.claim(TrainingRun, run.pk) is None
    run.refresh_from_db()
    assert run.state == "running"
    assert run.started_at is not None
    assert run.attempts == 0


def test_a_running_job_is_taken_over_only_when_its_lease_lapsed():
    run = TrainingRunFactory()
    first = running(run)
    lapse(run)
    second = jobs.claim(TrainingRun, run.pk)
    assert second not in (None, first)
    run.refresh_from_db()
    assert run.attempts == 1
    with pytest.raises(LeaseLost):
        jobs.renew(run, lease=first)
    assert jobs.renew(run, lease=second) is False


@pytest.mark.parametrize("ended", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_cannot_be_claimed(ended):
    run = TrainingRunFactory(state=ended)
    assert jobs.claim(TrainingRun, run.pk) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("queued", "succeeded"),
        ("queued", "failed"),
        ("succeeded", "queued"),
        ("succeeded", "failed"),
        ("cancelled", "running"),
        ("failed", "succeeded"),
    ],
)
def test_a_forbidden_move_is_refused_by_name_and_changes_nothing(before, after):
    run = TrainingRunFactory(state=before)
    with pytest.raises(ForbiddenMove, match=f"{before}: it cannot become {after}"):
        jobs.move(run, JobState(after))
    run.refresh_from_db()
    assert run.state == before


def test_whoever_lost_the_lease_cannot_end_the_job():
    run = TrainingRunFactory()
    old = running(run)
    lapse(run)
    new = running(run)
    with pytest.raises(LeaseLost):
        jobs.move(run, JobState.FAILED, lease=old)
    jobs.move(run, JobState.SUCCEEDED, lease=new)
    assert run.finished_at is not None
    assert run.lease is None


def test_cancelling_ends_a_queued_job_at_once_and_asks_a_running_one():
    queued = TrainingRunFactory()
    jobs.cancel(job=queued)
    assert queued.state == "cancelled"
    assert queued.finished_at is not None
    held = ScanFactory()
    lease = running(held)
    jobs.cancel(job=held)
    assert held.state == "running"
    assert jobs.renew(held, lease=lease) is True


def test_a_job_that_has_ended_cannot_be_cancelled():
    with pytest.raises(ForbiddenMove):
        jobs.cancel(job=TrainingRunFactory(state="succeeded"))


def test_resuming_clears_what_ended_it():
    run = TrainingRunFactory(
        state="failed", error="out of memory", attempts=3, cancel_requested=True
    )
    jobs.resume(job=run)
    assert (run.state, run.error, run.attempts, run.cancel_requested) == ("queued", "", 0, False)
    assert run.finished_at is None


def test_the_sweep_finds_queued_and_lapsed_jobs_and_leaves_the_others():
    queued, lapsed, held = EvaluationFactory(), ScanFactory(), TrainingRunFactory()
    running(lapsed)
    lapse(lapsed)
    running(held)
    ScanFactory(state="succeeded", manifest_sha256="1" * 64)
    assert set(jobs.waiting_jobs()) == {queued, lapsed}


def test_a_worker_is_told_after_commit_and_not_again_at_every_sweep(
    monkeypatch, django_capture_on_commit_callbacks
):
    cache.clear()
    told = []
    monkeypatch.setattr(tasks.run_training, "delay", told.append)
    run = TrainingRunFactory()
    with django_capture_on_commit_callbacks(execute=True):
        jobs.enqueue(run)
        assert told == []
    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            assert jobs.sweep_jobs() == 1
    assert told == [run.pk]
    jobs.forget_telling(run)
    with django_capture_on_commit_callbacks(execute=True):
        jobs.sweep_jobs()
    assert told == [run.pk, run.pk]


def test_a_broker_that_is_away_does_not_undo_the_request(
    monkeypatch, django_capture_on_commit_callbacks
):
    cache.clear()

    def refuse(pk):
        raise ConnectionError("redis is away")

    monkeypatch.setattr(tasks.run_training, "delay", refuse)
    run = TrainingRunFactory()
    with django_capture_on_commit_callbacks(execute=True):
        jobs.enqueue(run)
    assert list(jobs.waiting_jobs()) == [run]
