"""Answers through the gateway: one's own, once, and nothing in them that we did not ask for."""

import json

import httpx
import pytest

from annotation.models import Assignment
from tests.annotation.gateway.conftest import OWN, annotation, choice, patch, post

pytestmark = pytest.mark.django_db

ANSWER = {"result": [choice("acorn")], "lead_time": 2.5}
PATH = "/api/tasks/11/annotations?project=5"


def written(gateway, method="POST"):
    return [json.loads(one.content) for one in gateway.studio.requests if one.method == method]


def test_an_answer_is_by_whoever_is_logged_in_whatever_it_claims(gateway):
    claims = {"completed_by": 1, "ground_truth": True, "task": 12, "project": 9, "updated_by": 1}
    answer = post(gateway.as_("labeler"), PATH, ANSWER | claims)
    assert answer.status_code == 201
    (sent,) = written(gateway)
    assert sent["completed_by"] == OWN
    assert sent.keys() == {"result", "lead_time", "was_cancelled", "completed_by"}
    assert gateway.studio.requests[-1].url.path == "/api/tasks/11/annotations/"
    assert not gateway.studio.requests[-1].url.query
    assert Assignment.objects.get(task=gateway.task).state == "done"


def test_a_task_is_answered_once_a_person(gateway):
    labeler = gateway.as_("labeler")
    assert post(labeler, PATH, ANSWER).status_code == 201
    assert post(labeler, PATH, ANSWER).status_code == 409
    assert len(written(gateway)) == 1


def test_an_answer_whose_end_nobody_saw_is_not_doubled(gateway):
    labeler = gateway.as_("labeler")
    assert labeler.get("/api/tasks/11").status_code == 200
    gateway.studio.failing = [httpx.ReadTimeout("slow")]
    assert post(labeler, PATH, ANSWER).status_code == 503
    assert Assignment.objects.get(task=gateway.task).state == "open"
    # It had arrived: number 21 in the task is this person's.
    assert post(labeler, PATH, ANSWER).status_code == 201
    assert [one.method for one in gateway.studio.requests][-2:] == ["GET", "PATCH"]
    assert gateway.studio.requests[-1].url.path == "/api/annotations/21/"


def test_others_and_free_tasks_take_no_answer(gateway):
    for number in (12, 13, 99):
        answer = post(gateway.as_("labeler"), f"/api/tasks/{number}/annotations", ANSWER)
        assert answer.status_code == 404
    for role in ("operations", "ml_engineer", "admin"):
        assert post(gateway.as_(role), PATH, ANSWER).status_code == 404
    assert not gateway.studio.requests


def test_a_number_that_became_another_tasks_takes_no_answer(gateway):
    gateway.studio.tasks[11] = gateway.studio.tasks[12] | {"id": 11}
    assert post(gateway.as_("labeler"), PATH, ANSWER).status_code == 503
    assert not written(gateway)


def test_a_closed_session_is_opened_again_and_the_number_looked_at_anew(gateway, monkeypatch):
    labeler = gateway.as_("labeler")
    labeler.get("/api/tasks/11")
    entered = []

    def enter(user, *, stale):
        entered.append(stale)
        gateway.studio.tasks[11] = gateway.studio.tasks[12] | {"id": 11}  # it was wiped
        return stale

    monkeypatch.setattr("annotation.gateway.upstream._enter", enter)
    gateway.studio.failing = [httpx.Response(401)]
    assert post(labeler, PATH, ANSWER).status_code == 503
    assert len(entered) == 1
    assert len(written(gateway)) == 1, "only the one that was refused"


def test_a_skip_is_an_answer_too(gateway):
    answer = post(gateway.as_("labeler"), PATH + "&was_cancelled=1", {"result": []})
    assert answer.status_code == 201
    assert written(gateway)[0]["was_cancelled"] is True


@pytest.mark.parametrize(
    "result",
    [
        "text",
        {"a": 1},
        [1],
        [{"from_name": "brand"}],
        [choice("no-such-brand")],
        [choice("acorn", name="guide")],
        [choice("acorn") | {"type": "rectanglelabels"}],
        [choice("acorn") | {"value": {"choices": [{"$ne": 1}]}}],
        [choice("acorn")] * 501,
        [choice("acorn") | {"id": "x" * 1000}],
        [
            choice("acorn"),
            {"from_name": "question", "type": "textarea", "value": {"text": ["x" * 6000]}},
        ],
        [],
    ],
)
def test_what_our_page_could_not_have_sent_is_refused(gateway, result):
    answer = post(gateway.as_("labeler"), PATH, {"result": result})
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not gateway.studio.requests


def test_only_json_of_a_decent_size_is_read(gateway):
    labeler = gateway.as_("labeler")
    origin = {"Origin": "http://testserver"}
    forms = [
        labeler.post(PATH, {"result": "[]"}, headers=origin),
        labeler.post(PATH, "[]", content_type="application/json", headers=origin),
        labeler.post(PATH, "{", content_type="application/json", headers=origin),
        labeler.post(PATH, "x" * 3_000_000, content_type="application/json", headers=origin),
    ]
    assert all(form.status_code in (400, 413) for form in forms)
    assert not gateway.studio.requests


def test_ones_own_answer_is_read_and_changed_but_not_deleted(gateway):
    labeler = gateway.as_("labeler")
    assert labeler.get("/api/annotations/21").json()["id"] == 21
    changed = {"result": [choice("@none")], "completed_by": 1, "ground_truth": True}
    assert patch(labeler, "/api/annotations/21/?taskID=12", changed).status_code == 200
    (sent,) = written(gateway, "PATCH")
    assert sent.keys() == {"result", "lead_time", "was_cancelled"}
    origin = {"Origin": "http://testserver"}
    assert labeler.delete("/api/annotations/21", headers=origin).status_code == 405
    assert 21 in gateway.studio.annotations


def test_other_peoples_answers_and_drafts_are_out_of_reach(gateway):
    labeler = gateway.as_("labeler")
    for path in ("/api/annotations/22", "/api/drafts/32", "/api/annotations/99", "/api/drafts/99"):
        assert labeler.get(path).status_code == 404
        assert patch(labeler, path, ANSWER).status_code == 404
    for role in ("operations", "ml_engineer", "admin"):
        for path in ("/api/annotations/21", "/api/drafts/31"):
            assert gateway.as_(role).get(path).status_code == 404
    assert labeler.delete(
        "/api/drafts/32", headers={"Origin": "http://testserver"}
    ).status_code == (404)
    assert {one.method for one in gateway.studio.requests} == {"GET"}


def test_ones_own_answer_to_a_task_that_was_never_handed_out_is_out_of_reach(gateway):
    gateway.studio.annotations[23] = annotation(23, 13, OWN)
    assert gateway.as_("labeler").get("/api/annotations/23").status_code == 404


def test_drafts_are_written_and_changed_by_their_owner(gateway):
    labeler = gateway.as_("labeler")
    assert post(labeler, "/api/tasks/11/drafts?project=5", {"result": []}).status_code == 201
    assert patch(labeler, "/api/drafts/31", {"result": [], "user": "other@x"}).status_code == 200
    assert "user" not in written(gateway, "PATCH")[0]
    shown = labeler.get("/api/tasks/11/drafts").json()
    assert [one["id"] for one in shown] == [31]
    assert post(labeler, "/api/tasks/11/annotations/21/drafts", {"result": []}).status_code == 201
    for path in ("12/drafts", "11/annotations/22/drafts", "12/annotations/21/drafts"):
        assert post(labeler, f"/api/tasks/{path}", {"result": []}).status_code == 404
