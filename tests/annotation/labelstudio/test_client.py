"""The client against a fake at the HTTP edge: faults a real server shows too seldom."""

import json

import httpx
import pytest

from annotation.labelstudio.client import Client, LabelStudioError


def client_with(handler, **access):
    access = access or {"email": "a@b.example", "password": "secret"}
    return Client(base_url="http://ls", transport=httpx.MockTransport(handler), **access)


def logged_in(request):
    """Answers the log-in form; None for anything else."""
    if request.url.path != "/user/login/":
        return None
    if request.method == "GET":
        return httpx.Response(200, headers={"Set-Cookie": "csrftoken=abc; Path=/"})
    assert b"csrfmiddlewaretoken=abc" in request.content
    return httpx.Response(302, headers={"Set-Cookie": "sessionid=s1; Path=/"})


@pytest.mark.parametrize(
    ("status", "retry"), [(500, True), (502, True), (429, True), (400, False), (403, False)]
)
def test_an_error_says_whether_to_try_again(status, retry):
    client = client_with(lambda request: logged_in(request) or httpx.Response(status, text="why"))
    with pytest.raises(LabelStudioError, match="why") as caught:
        client.get("/api/projects/")
    assert (caught.value.retry, caught.value.status) == (retry, status)


@pytest.mark.parametrize(
    ("error", "sent"), [(httpx.ConnectError, False), (httpx.ReadTimeout, True)]
)
def test_a_broken_connection_says_whether_the_call_may_have_landed(error, sent):
    def handler(request):
        if answer := logged_in(request):
            return answer
        raise error("broken", request=request)

    with pytest.raises(LabelStudioError) as caught:
        client_with(handler).post("/api/projects/1/import", [])
    assert (caught.value.retry, caught.value.sent) == (True, sent)


def test_an_answer_that_is_no_json_is_an_error():
    client = client_with(lambda request: logged_in(request) or httpx.Response(200, text="<html>"))
    with pytest.raises(LabelStudioError, match="no JSON"):
        client.get("/api/projects/")


def test_a_session_that_ended_is_opened_again_once():
    refusals = iter([401, 200])

    def handler(request):
        return logged_in(request) or httpx.Response(next(refusals), json={"id": 1})

    assert client_with(handler).get("/api/current-user/whoami") == {"id": 1}


def test_a_wrong_password_is_not_tried_again():
    def handler(request):
        return httpx.Response(200, headers={"Set-Cookie": "csrftoken=abc; Path=/"})

    with pytest.raises(LabelStudioError, match="may not log in") as caught:
        client_with(handler).get("/api/projects/")
    assert not caught.value.retry


def test_an_access_token_that_ran_out_is_refreshed():
    given = iter(["first", "second"])

    def handler(request):
        if request.url.path == "/api/token/refresh/":
            assert json.loads(request.content) == {"refresh": "personal"}
            return httpx.Response(200, json={"access": next(given)})
        fresh = request.headers["Authorization"] == "Bearer second"
        return httpx.Response(200 if fresh else 401, json=[])

    assert client_with(handler, token="personal").get("/api/webhooks/") == []


def test_tasks_are_read_page_by_page_even_when_they_become_fewer_meanwhile():
    def handler(request):
        if answer := logged_in(request):
            return answer
        page = int(request.url.params["page"])
        if page == 2:
            return httpx.Response(404, json={"detail": "Invalid page."})
        return httpx.Response(200, json={"total": 201, "tasks": [{"id": 1}]})

    assert list(client_with(handler).tasks(project=1)) == [{"id": 1}]


def test_a_project_that_is_gone_is_not_an_empty_one():
    client = client_with(lambda request: logged_in(request) or httpx.Response(404, json={}))
    with pytest.raises(LabelStudioError) as caught:
        list(client.tasks(project=1))
    assert caught.value.status == 404
