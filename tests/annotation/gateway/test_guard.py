"""Who gets in, from where, and what never gets out."""

from pathlib import Path

import httpx
import pytest
from django.urls import reverse

from annotation.gateway.guard import LOGIN_PATH
from annotation.gateway.pages import stream_path
from tests.annotation.gateway.conftest import choice, post

pytestmark = pytest.mark.django_db

NEXT = "/api/dm/actions?id=next_task&project=5"
PAGE = "/projects/5/data?labeling=1"


def test_a_stranger_is_sent_to_our_log_in_and_back(gateway, settings):
    settings.PUBLIC_URL = "http://pages.example"
    page = gateway.as_(None).get(PAGE)
    assert page.status_code == 302
    back = "http%3A//testserver/projects/5/data%3Flabeling%3D1"
    assert page["Location"] == f"http://pages.example{LOGIN_PATH}?next={back}"
    assert reverse("login") == LOGIN_PATH
    for path in ("/api/tasks/11", "/api/projects/5", "/api/users"):
        assert gateway.as_(None).get(path).status_code == 401
    assert post(gateway.as_(None), NEXT).status_code == 401
    assert gateway.as_(None).get("/static/js/main.js").status_code == 302
    assert not gateway.studio.requests


def test_a_person_without_a_role_and_one_deactivated_are_kept_out(gateway):
    labeler = gateway.as_("labeler")
    assert labeler.get(PAGE).status_code == 200
    gateway.crew["labeler"].groups.clear()
    assert labeler.get(PAGE).status_code == 403
    gateway.crew["operations"].is_active = False
    client = gateway.as_("operations")
    gateway.crew["operations"].save()
    assert client.get(PAGE).status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://testserver:8000"},
        {"Origin": "https://testserver"},
        {"Origin": "null"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "same-site"},
        {"Origin": "", "Referer": "http://evil.example/http://testserver/"},
        {"Origin": ""},
    ],
)
def test_a_request_that_another_page_sends_is_refused(gateway, headers):
    assert post(gateway.as_("labeler"), NEXT, **headers).status_code == 403
    assert not gateway.studio.requests


def test_a_request_of_our_own_page_passes_by_origin_or_by_referer(gateway):
    labeler = gateway.as_("labeler")
    assert post(labeler, NEXT, **{"Sec-Fetch-Site": "same-origin"}).status_code == 200
    page = {"Origin": "", "Referer": "http://testserver/projects/5/data?labeling=1"}
    assert post(labeler, NEXT, **page).status_code == 200


def test_nothing_of_a_request_is_sent_on_as_it_came(gateway):
    labeler = gateway.as_("labeler")
    session = labeler.cookies["touchstone_session"].value
    smuggled = {
        "Authorization": "Token stolen", "X-CSRFToken": "mine", "X-HTTP-Method-Override": "DELETE",
        "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "127.0.0.1", "X-Original-URL": "/x",
        "Cookie": f"sessionid=other; touchstone_session={session}",
        "Transfer-Encoding": "chunked", "Accept-Encoding": "gzip",
    }  # fmt: skip
    assert post(labeler, NEXT, **smuggled).status_code == 200
    (request,) = gateway.studio.requests
    assert request.headers["Cookie"] == "sessionid=s-labeler; csrftoken=cccccccc"
    assert request.headers["X-CSRFToken"] == "c" * 8
    known = {"host", "cookie", "x-csrftoken", "referer", "connection"}
    assert set(request.headers) <= known
    assert request.method == "GET"


def test_no_cookie_of_label_studio_ever_leaves(gateway):
    labeler = gateway.as_("labeler")
    for path in (PAGE, "/static/js/main.js", "/api/tasks/11", "/api/projects/5"):
        answer = labeler.get(path)
        assert answer.status_code == 200
        assert not answer.cookies
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert b"s-labeler" not in content


def test_pages_carry_a_policy_that_allows_pictures_from_us_alone(gateway, settings):
    settings.PUBLIC_URL = "http://pages.example"
    policy = gateway.as_("labeler").get(PAGE)["Content-Security-Policy"]
    assert "img-src 'self' data: blob: http://pages.example;" in policy
    assert "default-src 'none'" in policy
    assert "'sha256-" in policy
    script = policy.split("script-src")[1].split(";")[0]
    assert "unsafe" not in script
    assert gateway.as_("labeler").get("/nowhere")["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.Response(502)]
)
def test_label_studio_away_is_one_clear_sentence(gateway, failure):
    labeler = gateway.as_("labeler")
    gateway.studio.failing = [failure]
    answer = labeler.get("/api/tasks/11")
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "try again" in answer.json()["detail"]
    gateway.studio.failing = [failure]
    page = labeler.get(PAGE)
    assert page.status_code in (404, 503)
    assert b"Traceback" not in page.content
    assert b"<p>" in page.content


def test_an_answer_that_label_studio_refuses_loses_nothing(gateway):
    labeler = gateway.as_("labeler")
    labeler.get("/api/tasks/11")
    gateway.studio.failing = [httpx.Response(400, json={"detail": "no"})]
    path = "/api/tasks/11/annotations"
    assert post(labeler, path, {"result": [choice("acorn")]}).status_code == 400
    assert post(labeler, path, {"result": [choice("acorn")]}).status_code == 201


def test_static_files_are_streamed_and_kept_by_the_browser(gateway):
    answer = gateway.as_("labeler").get("/react-app/main.js?v=1")
    assert answer.status_code == 200
    answer = gateway.as_("labeler").get("/static/js/main.js")
    assert answer.streaming
    assert "max-age" in answer["Cache-Control"]
    assert b"".join(answer.streaming_content) == b"program"


@pytest.mark.parametrize(
    "path",
    ["/static/../api/tasks/11", "/static/%2e%2e/api/tasks/11", "/static/..%2fapi/users",
     "/static//api/users.json", "/static/a/./b.js", "/static/.env", "/static/a\\..\\b.js",
     "/static/page.html", "/static/", "/static/js", "/static/js/main.js/", "/react-app/%00.js",
     "/static/main.js%0a", "/static/x.js%3fy=.css", "//api/tasks/11", "/api//tasks/11",
     "/api/tasks/11/..", "/API/tasks/11", "/api/Tasks/11", "/api/tasks/11%2e%2e/annotations/",
     "/api/tasks/11;/annotations", "/api/tasks/11.json", "/api/tasks/11%00", "/api/tasks/+11",
     "/api/tasks/１１", "/api/tasks/11%0a", "/api/tasks/11//", "/projects/5/data//?labeling=1",
     "/projects/5/data/export?labeling=1", "/projects/5/settings/", "/./api/tasks/11",
     "/api/../api/tasks/11", "/api/tasks/99999999999999999999"],
)  # fmt: skip
def test_an_address_with_anything_odd_in_it_leads_nowhere(gateway, path):
    assert gateway.as_("labeler").get(path).status_code == 404
    assert not gateway.studio.requests


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
@pytest.mark.parametrize("path", ["/api/tasks/11", "/api/projects/5", PAGE, "/static/a.js", NEXT])
def test_other_methods_are_refused(gateway, method, path):
    call = getattr(gateway.as_("labeler"), method)
    answer = call(path, headers={"Origin": "http://testserver"})
    assert answer.status_code == 405
    assert not gateway.studio.requests


def test_a_page_of_another_project_or_of_the_task_list_leads_to_the_stream_or_nowhere(gateway):
    labeler = gateway.as_("labeler")
    assert labeler.get("/projects/6/data?labeling=1").status_code == 404
    for path in (
        "/projects/5/data",
        "/projects/5/data?tab=1&task=12",
        "/projects/5/data?labeling=0",
    ):
        assert labeler.get(path)["Location"] == stream_path(5)
    labeler.get("/projects/5/data?labeling=1&task=12&query=x")
    (request,) = gateway.studio.requests
    assert request.url.query == b"labeling=1"
    for path in ("/", "/projects/", "/user/login/", "/user/logout/"):
        assert labeler.get(path)["Location"].endswith("/me/")


def test_a_foreign_host_name_is_refused(gateway):
    assert gateway.as_("labeler").get(PAGE, headers={"Host": "evil.example"}).status_code == 400


def test_no_module_but_the_gateway_hands_out_label_studios_session():
    users = {
        str(path)
        for folder in ("annotation", "active_learning", "webapp")
        for path in Path(folder).rglob("*.py")
        if ".cookies()" in path.read_text()
    }
    assert users == {"annotation/gateway/upstream.py"}
