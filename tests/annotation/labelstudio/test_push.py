"""The outbox with a fake at the HTTP edge: answers that are lost or refused."""

import json
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from annotation.labels import Content, record_label
from annotation.labelstudio import push
from annotation.labelstudio.client import Client
from annotation.labelstudio.outbox import mark_pushed
from annotation.models import LabelStudioProject, Task
from tests.annotation.labelstudio.conftest import tasks_of
from tests.factories import TaskFactory

pytestmark = pytest.mark.django_db


class FakeServer:
    """Imports and finds tasks; `fault` is raised or answered in place of an import's answer."""

    def __init__(self):
        self.tasks = {}
        self.fault = None
        self.lands = True

    def __call__(self, request):
        if request.url.path == "/api/token/refresh/":
            return httpx.Response(200, json={"access": "a"})
        if request.url.path.endswith("/import"):
            return self.take(json.loads(request.content))
        wanted = json.loads(request.url.params["query"])["filters"]["items"][0]["value"]
        found = [
            {"id": pk, "data": data}
            for pk, data in self.tasks.items()
            if data["touchstone"] in wanted
        ]
        return httpx.Response(200, json={"total": len(found), "tasks": found})

    def take(self, entries):
        ids = []
        if self.lands:
            ids = [100 + len(self.tasks) + n for n in range(len(entries))]
            self.tasks |= dict(zip(ids, [entry["data"] for entry in entries], strict=True))
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.fault or httpx.Response(201, json={"task_ids": ids})


@pytest.fixture
def server(monkeypatch, settings):
    settings.LABEL_STUDIO_WINDOW = 4
    for number, kind in enumerate(Task.Kind.values, start=1):
        LabelStudioProject.objects.create(kind=kind, remote_id=number, config_hash="x")
    server = FakeServer()
    client = Client(base_url="http://ls", token="t", transport=httpx.MockTransport(server))
    monkeypatch.setattr(push, "owner_client", lambda: client)
    return server


def states():
    return sorted(Task.objects.values_list("state", flat=True))


def settle():
    Task.objects.filter(state="pushing").update(claimed_at=timezone.now() - timedelta(hours=1))
    push.push_tasks()


def test_only_the_window_goes_out_the_most_urgent_first(server, world):
    tasks = tasks_of(world, 10)
    assert push.push_tasks() == 4
    assert push.push_tasks() == 0
    assert {data["touchstone"] for data in server.tasks.values()} == {
        str(task.pk) for task in tasks[:4]
    }
    assert list(server.tasks) == sorted(server.tasks), "sequential sampling asks in this order"
    for task in Task.objects.filter(state="pushed")[:1]:
        record_label(
            image=task.image,
            kind="brand",
            content=Content(answer="none"),
            source="labeler",
            task=task,
            remote_id=1,
        )
    assert push.push_tasks() == 1, "what is answered makes room"


def test_the_window_grows_with_the_labelers_at_work(server, world, django_user_model):
    for name in ("ana", "bo", "cy"):
        task = TaskFactory()
        record_label(
            image=task.image,
            kind="brand",
            content=Content(answer="none"),
            source="labeler",
            by=django_user_model.objects.create(username=name),
        )
    assert push.window() == 12


def test_an_import_whose_answer_was_lost_is_found_and_not_sent_again(server, world):
    tasks_of(world, 3)
    server.fault = httpx.ReadTimeout("slow")
    assert push.push_tasks() == 0
    assert states() == ["pushing"] * 3
    assert "slow" in LabelStudioProject.objects.get(kind="brand").last_error
    server.fault = None
    push.push_tasks()
    assert states() == ["pushing"] * 3, "it may still be landing"
    settle()
    assert states() == ["pushed"] * 3
    assert len(server.tasks) == 3
    assert LabelStudioProject.objects.get(kind="brand").last_error == ""


def test_an_import_that_never_landed_is_sent_again(server, world):
    tasks_of(world, 3)
    server.fault, server.lands = httpx.ReadTimeout("slow"), False
    push.push_tasks()
    server.fault, server.lands = None, True
    settle()
    assert states() == ["pushed"] * 3
    assert len(server.tasks) == 3


@pytest.mark.parametrize(
    "fault", [httpx.ConnectError("refused"), httpx.Response(400, text="refused")]
)
def test_an_import_that_certainly_failed_waits_in_the_outbox(server, world, fault):
    tasks_of(world, 3)
    server.fault, server.lands = fault, False
    push.push_tasks()
    assert states() == ["waiting"] * 3
    assert "refused" in LabelStudioProject.objects.get(kind="brand").last_error


def test_a_failing_project_does_not_hold_up_the_others(server, world):
    tasks_of(world, 2)
    tasks_of(world, 2, kind="variation")
    server.fault = None
    original = server.take
    server.take = lambda entries: (
        httpx.Response(500) if "brands" in entries[0]["data"] else original(entries)
    )
    push.push_tasks()
    assert Task.objects.filter(kind="variation", state="pushed").count() == 2


def test_what_was_shown_is_written_down_before_it_is_sent(server, world):
    (task,) = tasks_of(world, 1)
    server.fault = httpx.ReadTimeout("killed here")
    push.push_tasks()
    task.refresh_from_db()
    assert task.guideline == world.guideline
    assert task.guidelines_shown == [world.guideline.pk]


def test_a_task_withdrawn_while_it_was_sent_stays_withdrawn(server, world):
    (task,) = tasks_of(world, 1, state="withdrawn")
    mark_pushed(remote_ids={task.pk: 7})
    task.refresh_from_db()
    assert (task.state, task.remote_id) == ("withdrawn", 7)


def test_numbers_given_out_again_move_from_the_old_task_to_the_new(server, world):
    old, new = tasks_of(world, 2)
    mark_pushed(remote_ids={old.pk: 7})
    mark_pushed(remote_ids={new.pk: 7})
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, old.remote_id) == ("waiting", None)
    assert (new.state, new.remote_id) == ("pushed", 7)


def test_two_tasks_may_swap_their_numbers(server, world):
    one, two = tasks_of(world, 2)
    mark_pushed(remote_ids={one.pk: 1, two.pk: 2})
    mark_pushed(remote_ids={one.pk: 2, two.pk: 1})
    one.refresh_from_db()
    assert (one.state, one.remote_id) == ("pushed", 2)
