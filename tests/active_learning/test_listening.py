"""A round need not wait for the sweep to learn that tasks are out or answers in."""

import pytest
from django.utils import timezone

from active_learning import tasks
from active_learning.models import Round, RoundStep, Selection
from active_learning.round_steps import Waiting, collect
from annotation.guideline_impact import publish_with_impact
from annotation.labelstudio import inbox
from annotation.models import InboxEvent, Task
from annotation.signals import tasks_pushed
from tests.active_learning.factories import ReleaseFactory
from tests.annotation.test_guideline_impact import brand, changed, first, operator  # noqa: F401
from tests.factories import TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def looked_at(monkeypatch) -> list[int]:
    """The rounds that a worker was told to look at."""
    told: list[int] = []
    monkeypatch.setattr(tasks.advance_round, "delay_on_commit", told.append)
    return told


def test_running_rounds_are_looked_at_when_tasks_are_out_and_when_answers_came(looked_at):
    champion = ReleaseFactory()
    Round.objects.create(number=1, seed=1, champion=champion, state=Round.State.DONE)
    running = Round.objects.create(number=2, seed=2, champion=champion)
    tasks_pushed.send(sender=Task)
    assert looked_at == [running.pk]
    InboxEvent.objects.create(digest="0", payload={})  # of no project: there is only word of it
    inbox.process_inbox()
    assert looked_at == [running.pk] * 2


def test_no_event_is_no_reason_to_look(looked_at):
    Round.objects.create(number=1, seed=1, champion=ReleaseFactory())
    inbox.process_inbox()
    assert looked_at == []


def test_a_rounds_question_is_followed_when_a_new_guideline_has_it_asked_anew(
    brand,  # noqa: F811
    first,  # noqa: F811
    operator,  # noqa: F811
):
    round_ = Round.objects.create(number=1, seed=1, champion=ReleaseFactory())
    old = TaskFactory(state="pushed", remote_id=1, guidelines_shown=[first.pk], strategy="probe")
    chosen = Selection.objects.create(
        round=round_, task=old, strategy="probe", score=0.9, rank=1, propensity=0.5
    )
    version = changed(brand, operator, rules="Two stripes.")
    publish_with_impact(version=version, by=operator, requeue=False)
    chosen.refresh_from_db()
    assert (chosen.task.image, chosen.task.state) == (old.image, "waiting")
    assert chosen.task != old
    with pytest.raises(Waiting, match="1 answers"):
        RoundStep.objects.create(
            round=round_, name="collect", position=3, started_at=timezone.now()
        )
        collect(round_)
