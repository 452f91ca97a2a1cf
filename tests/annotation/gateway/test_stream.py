"""What the labelling page is shown: this person's next task, and nothing of others'."""

import json
from functools import partial
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.utils import timezone

from annotation.gateway import work
from annotation.labelstudio import sent
from annotation.labelstudio.payload import TASK_KEY
from annotation.models import Assignment, Label, Task
from tests.annotation.gateway.conftest import OTHER, OWN, choice, post
from tests.factories import TaskFactory

NEXT = "/api/dm/actions?id=next_task&tabID=1&project=5"

pytestmark = pytest.mark.django_db


def test_the_next_task_is_the_one_we_choose_without_what_others_did(gateway):
    shown = post(gateway.as_("labeler"), NEXT, {"selectedItems": {"included": [12]}}).json()
    assert shown["id"] == 11
    assert [one["id"] for one in shown["annotations"]] == [21]
    assert [one["id"] for one in shown["drafts"]] == [31]
    assert [one["id"] for one in shown["predictions"]] == [1]
    assert shown["meta"] == {}
    text = json.dumps(shown)
    for secret in ("their draft", "ground_truth", "agreement", "annotators", "secret", "0.9"):
        assert secret not in text
    assert all(one["completed_by"]["id"] == OWN for one in shown["annotations"])
    assert f'"id": {OTHER}' not in text


def test_a_blind_task_comes_without_a_proposal_whatever_label_studio_holds(gateway):
    Task.objects.filter(pk=gateway.task.pk).update(blind=True)
    assert post(gateway.as_("labeler"), NEXT).json()["predictions"] == []


@pytest.fixture
def put_off(monkeypatch):
    """What the gateway would do beside its answer, to be done when the test says so."""
    jobs = []
    doer = SimpleNamespace(submit=lambda _thread, work, *args: jobs.append(partial(work, *args)))
    monkeypatch.setattr(work, "_beside", doer)
    return jobs


def test_what_is_seen_for_the_first_time_is_told_as_it_was_sent(gateway, put_off):
    prediction = {"model_version": "proposal", "result": [choice("acorn")]}
    entry = {"data": {TASK_KEY: str(gateway.free.pk)}, "predictions": [prediction]}
    sent.keep(remote_ids={gateway.free.pk: 13}, entries=[entry])
    client = gateway.as_("operations")
    first = post(client, NEXT).json()
    assert not gateway.studio.requests
    assert (first["id"], first["data"]) == (13, entry["data"])
    assert first["annotations"] == first["drafts"] == []
    # Beside it, Label Studio is asked whether it still has the task: an answer then need not wait.
    (look_ahead,) = put_off
    look_ahead()
    assert [request.url.path for request in gateway.studio.requests] == ["/api/tasks/13/"]
    # Opened again there may be unfinished work, which Label Studio has, and it alone is read.
    for number, email in ((41, "operations@x.invalid"), (42, "labeler@x.invalid")):
        gateway.studio.drafts[number] = {"id": number, "task": 13, "user": email, "result": []}
    again = post(client, NEXT).json()
    assert [request.url.path for request in gateway.studio.requests[1:]] == ["/api/tasks/13/drafts"]
    assert [draft["id"] for draft in again["drafts"]] == [41]
    assert again | {"drafts": []} == first


def test_what_is_opened_again_is_read_whole_when_it_may_have_moved_or_has_an_answer(
    gateway, put_off
):
    sent.keep(
        remote_ids={gateway.free.pk: 13}, entries=[{"data": {TASK_KEY: str(gateway.free.pk)}}]
    )
    client = gateway.as_("operations")
    post(client, NEXT)
    post(client, NEXT)  # not known to be there: nobody has looked yet
    Label.objects.create(
        task=gateway.free, image=gateway.free.image, kind="brand", source="labeler",
        by=gateway.crew["operations"], answer="unsure",
    )  # fmt: skip
    post(client, NEXT)
    assert [request.url.path for request in gateway.studio.requests] == ["/api/tasks/13/"] * 2


def test_what_is_opened_again_after_label_studio_lost_it_is_said(gateway, put_off):
    sent.keep(
        remote_ids={gateway.free.pk: 13}, entries=[{"data": {TASK_KEY: str(gateway.free.pk)}}]
    )
    client = gateway.as_("operations")
    post(client, NEXT)
    put_off[0]()
    gateway.studio.tasks.clear()
    assert post(client, NEXT).status_code == 503


def test_a_task_that_is_not_where_it_was_sent_is_said_with_the_answer(gateway, put_off):
    sent.keep(
        remote_ids={gateway.free.pk: 13}, entries=[{"data": {TASK_KEY: str(gateway.free.pk)}}]
    )
    del gateway.studio.tasks[13]
    client = gateway.as_("operations")
    assert post(client, NEXT).status_code == 200
    put_off[0]()
    refused = post(client, "/api/tasks/13/annotations", {"result": [choice("acorn")]})
    assert refused.status_code == 503
    assert not Assignment.objects.filter(task=gateway.free, state="done").exists()


def test_the_end_of_the_queue_is_said_as_label_studio_says_it(gateway):
    Task.objects.update(state="answered")
    answer = post(gateway.as_("labeler"), NEXT)
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There are no tasks")
    assert not gateway.studio.requests


@pytest.mark.parametrize(
    "query",
    [
        "id=delete_tasks&project=5",
        "id=next_task&id=delete_tasks&project=5",
        "id=delete_tasks&id=next_task&project=5",
        "id=NEXT_TASK&project=5",
        "project=5",
        "id=next_task&project=6",
        "id=next_task&project=5&project=6",
        "id=next_task&project=５",
        "id=next_task&project=-5",
        "id=next_task",
    ],
)
def test_no_other_action_and_no_other_project(gateway, query):
    assert post(gateway.as_("labeler"), f"/api/dm/actions?{query}").status_code == 404
    assert not gateway.studio.requests


def test_a_task_is_shown_to_whom_it_was_handed_alone(gateway):
    labeler, engineer = gateway.as_("labeler"), gateway.as_("ml_engineer")
    assert labeler.get("/api/tasks/11?project=5").status_code == 200
    assert engineer.get("/api/tasks/12/").status_code == 200
    for client, path in ((labeler, "12"), (labeler, "13"), (labeler, "99"), (engineer, "11")):
        assert client.get(f"/api/tasks/{path}").status_code == 404
    for role in ("operations", "admin"):
        assert gateway.as_(role).get("/api/tasks/11").status_code == 404


def test_a_task_under_a_number_that_is_another_ones_by_now_is_not_shown(gateway):
    gateway.studio.tasks[11] = gateway.studio.tasks[12] | {"id": 11}
    answer = post(gateway.as_("labeler"), NEXT)
    assert answer.status_code == 503
    assert "data" not in answer.json()
    del gateway.studio.tasks[11]
    assert gateway.as_("labeler").get("/api/tasks/11").status_code == 503


def test_a_task_opened_by_our_number_is_the_only_one_its_page_shows(gateway):
    labeler = gateway.as_("labeler")
    returned = TaskFactory(
        state="pushed", remote_id=14, only_for=gateway.crew["labeler"], focus_brand=gateway.brand,
        image=gateway.task.image,
    )  # fmt: skip
    gateway.studio.tasks[14] = gateway.studio.tasks[11] | {
        "id": 14,
        "data": {TASK_KEY: str(returned.pk)},
    }
    page = labeler.get(f"/tasks/{returned.pk}/")
    assert page.status_code == 302
    address = f"http://testserver{page['Location']}"
    assert labeler.get(page["Location"]).status_code == 200
    assert post(labeler, NEXT, Referer=address).json()["id"] == 14
    Assignment.objects.filter(task=returned).update(state="done", done_at=timezone.now())
    assert post(labeler, NEXT, Referer=address).status_code == 404
    assert post(labeler, NEXT).json()["id"] == 11, "the ordinary page goes on with the stream"


@pytest.mark.parametrize("role", ["operations", "ml_engineer", "admin"])
def test_a_task_of_somebody_else_cannot_be_opened_by_our_number(gateway, role):
    client = gateway.as_(role)
    assert client.get(f"/tasks/{gateway.task.pk}/").status_code == 404
    assert client.get(f"/tasks/{uuid4()}/").status_code == 404
    page = f"http://testserver/projects/5/data?labeling=1&only={gateway.task.pk}"
    assert post(client, NEXT, Referer=page).status_code == 404
    assert not gateway.studio.requests


def test_a_task_on_its_way_and_one_taken_back_say_so(gateway):
    labeler = gateway.as_("labeler")
    Task.objects.filter(pk=gateway.task.pk).update(state="waiting", remote_id=None)
    assert labeler.get(f"/tasks/{gateway.task.pk}/").status_code == 503
    Task.objects.filter(pk=gateway.task.pk).update(state="withdrawn")
    assert labeler.get(f"/tasks/{gateway.task.pk}/").status_code == 410


def test_the_history_is_ones_own_and_not_label_studios(gateway):
    for user, number in ((gateway.crew["labeler"], 21), (gateway.crew["ml_engineer"], 22)):
        Label.objects.create(
            image=gateway.task.image, kind="brand", source="labeler", answer="none", by=user,
            task=gateway.task, remote_id=number,
        )  # fmt: skip
    shown = gateway.as_("labeler").get("/api/projects/5/label-stream-history").json()
    assert shown == [{"taskId": 11, "annotationId": 21}]
    assert not gateway.studio.requests


def test_the_project_comes_without_its_owner_and_its_counts(gateway):
    for path in ("/api/projects/5", "/api/dm/project?project=5"):
        shown = gateway.as_("labeler").get(path).json()
        assert shown["title"] == "t"
        assert "created_by" not in shown
        assert shown["task_number"] == 1
    assert gateway.as_("labeler").get("/api/projects/6").status_code == 404
    assert "permissions" not in gateway.as_("labeler").get("/api/projects/5/").json()


def test_nobody_learns_what_they_may_do_in_label_studio(gateway):
    shown = gateway.as_("labeler").get("/api/current-user/whoami").json()
    assert "projects.delete" not in shown["permissions"]


@pytest.mark.parametrize(
    "path",
    ["tasks?page=1&view=1&project=5", "users?project=5", "ml?project=5", "label_links?project=5",
     "dm/views?project=5", "version"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_answered_by_us(gateway, path):
    assert gateway.as_("labeler").get(f"/api/{path}").status_code == 200
    assert not gateway.studio.requests
