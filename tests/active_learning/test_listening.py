"""A round need not wait for the sweep to learn that tasks are out or answers in."""

import pytest

from active_learning import tasks
from active_learning.models import Round
from annotation.labelstudio import inbox
from annotation.models import InboxEvent, Task
from annotation.signals import tasks_pushed
from tests.active_learning.factories import ReleaseFactory

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
