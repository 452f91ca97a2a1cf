"""Every address of the real Label Studio, asked for by every role through the gateway: what gets
through is what the labelling page needs, and nothing names what is somebody else's."""

import json
import logging
import os
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from annotation.gateway import urls
from tests.annotation.gateway.conftest import choice
from webapp.supervisor.label_studio import make_environment

ROLES = ["labeler", "operations", "ml_engineer", "admin", None]
METHODS = ["get", "post", "patch", "delete"]
# Run in Label Studio's own environment: its addresses as it knows them.
LIST = """
import json, os, sys, tempfile
import label_studio
sys.path.insert(0, os.path.dirname(label_studio.__file__))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings.label_studio")
import django
django.setup()
from django.urls import get_resolver
def walk(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from walk(pattern.url_patterns, route)
        else:
            yield route
print("ROUTES" + json.dumps(sorted(set(walk(get_resolver().url_patterns)))))
"""
# What may reach Label Studio, by method, for a labeler who has task 11 with annotation 21 and
# draft 31. Nobody else has anything.
READS = re.compile(
    r"/(static|react-app|label-studio-frontend|dm)/[\w./@-]+|/projects/5/data|/api/projects/5/"
    r"|/api/dm/(project|columns)|/api/current-user/whoami|/api/(annotations|drafts)/\d+/"
)
OWN_READS = re.compile(r"/api/tasks/11/")
OWN_WRITES = {
    ("POST", "/api/tasks/11/annotations/"),
    ("POST", "/api/tasks/11/drafts"),
    ("POST", "/api/tasks/11/annotations/21/drafts"),
    ("PATCH", "/api/annotations/21/"),
    ("PATCH", "/api/drafts/31/"),
    ("DELETE", "/api/drafts/31/"),
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    """Label Studio's routes, some 400."""
    venv = Path(os.environ.get("LABEL_STUDIO_VENV", settings.BASE_DIR / "var/label-studio-venv"))
    make_environment(venv, settings.BASE_DIR / "requirements-label-studio.lock")
    data = tmp_path_factory.mktemp("routes")
    done = subprocess.run(
        [venv / "bin" / "python", "-c", LIST],
        env={"PATH": os.defpath, "HOME": str(data), "LABEL_STUDIO_BASE_DATA_DIR": str(data)},
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"^ROUTES(.*)$", done.stdout, re.MULTILINE)
    assert found, done.stderr[-2000:]
    return json.loads(found[1])


def addresses(routes, numbers):
    """With numbers of things there are: the project, tasks and answers of everybody."""
    filled = set()
    for route in routes:
        plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route)
        plain = re.sub(r"[\^$\\]|\?$|\(\?:?|\)", "", plain)
        for number in numbers:
            text = re.sub(r"<(int:)?\w+>", number, plain)
            text = re.sub(r"<\w+:(\w+)>", r"\1", text)
            filled.add("/" + text.lstrip("/"))
    return sorted(filled)


@pytest.mark.slow
@pytest.mark.labelstudio
@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_of_all_of_label_studios_addresses_few_get_through(gateway, routes, role, caplog):
    assert len(routes) > 150
    caplog.set_level(logging.CRITICAL, "django.request")
    client = gateway.as_(role)
    body = json.dumps({"result": [choice("acorn")], "id": "next_task", "completed_by": 1})
    count = 0
    numbers = ("5", "11", "12", "21", "22", "31", "32") if role == "labeler" else ("5", "11")
    for path in addresses(routes, numbers):
        for method in METHODS:
            answer = getattr(client, method)(
                f"{path}?project=5&id=next_task&labeling=1",
                **({} if method == "get" else {"data": body, "content_type": "application/json"}),
                headers={"Origin": "http://testserver"},
            )
            count += 1
            assert answer.status_code < 500, (method, path, answer.content[:300])
            assert_nobody_elses(role, gateway, answer, f"{method} {path}")
    assert count > 1000
    for request in gateway.studio.requests:
        assert role is not None, "a stranger reached Label Studio"
        path = request.url.path
        if request.method == "GET" and READS.fullmatch(path):
            continue
        if role == "labeler" and request.method == "GET" and OWN_READS.fullmatch(path):
            continue
        # Free tasks are handed out by the stream alone, and then they are this person's.
        number = re.match(r"/api/tasks/(\d+)/", path)
        if number and number[1] in handed_to(gateway, role):
            continue
        assert role == "labeler" and (request.method, path) in OWN_WRITES, (request.method, path)


def handed_to(gateway, role):
    found = gateway.crew[role].assignments.values_list("task__remote_id", flat=True)
    return {str(number) for number in found}


def assert_nobody_elses(role, gateway, answer, what):
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    text = content.decode(errors="replace")
    for secret in (
        "their draft",
        "owner@x",
        "other@x",
        "projects.delete",
        "sessionid",
        "s-labeler",
    ):
        assert secret not in text, what
    if answer.status_code in (200, 201) and "application/json" in answer["Content-Type"]:
        shown = answer.json()
        rows = shown if isinstance(shown, list) else [shown]
        for row in rows:
            assert not (isinstance(row, dict) and row.get("id") in (22, 32)), what


def test_the_gateways_own_addresses_are_those_the_page_needs_and_no_more():
    assert {str(route.name) for route in urls.urlpatterns} == {
        "entrance", "open-task", "stream", "projects", "their-login", "their-logout",
        "service-worker", "static", "brands", "keyboard", "api:current-user/whoami", "api:version",
        "api:projects/<project>", "api:projects/<project>/label-stream-history", "api:dm/project",
        "api:dm/views", "api:dm/views/<view>", "api:dm/columns", "api:dm/actions", "api:tasks",
        "api:tasks/<remote_id>", "api:tasks/<remote_id>/annotations",
        "api:tasks/<remote_id>/drafts",
        "api:tasks/<remote_id>/annotations/<annotation_id>/drafts", "api:annotations/<remote_id>",
        "api:drafts/<remote_id>", "api:users", "api:ml", "api:label_links",
    }  # fmt: skip
