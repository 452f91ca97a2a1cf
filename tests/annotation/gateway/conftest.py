"""The gateway before a Label Studio that notes what reaches it, and people of every role."""

import json
from types import SimpleNamespace

import httpx
import pytest
from django.core.cache import cache
from django.test import Client

from annotation.gateway import upstream
from annotation.labelstudio.payload import TASK_KEY
from annotation.models import Assignment, LabelStudioAccount, LabelStudioProject
from tests.demo_rows import make_people
from tests.factories import BrandFactory, TaskFactory
from webapp import gateway_settings

OWN, OTHER = 71, 72  # the users in Label Studio of the labeler and of somebody else


class FakeLabelStudio:
    """Answers like the real one, to anybody, and writes down every request."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.tasks: dict[int, dict] = {}
        self.annotations: dict[int, dict] = {}
        self.drafts: dict[int, dict] = {}
        self.failing: list = []  # what the next requests meet instead of an answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.failing:
            failure = self.failing.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        return self._answer(request, request.url.path.rstrip("/"))

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:  # noqa: PLR0911
        body = json.loads(request.content or b"{}")
        *folder, last = path.split("/")
        if path.startswith(("/static/", "/react-app/")):
            cookie = {"Set-Cookie": "sessionid=x"}
            return httpx.Response(200, content=iter([b"pro", b"gram"]), headers=cookie)
        if path.endswith("/data"):
            return httpx.Response(
                200, text="<head></head><script>page()</script>", headers={"Set-Cookie": "a=b"}
            )
        for name, rows in (("annotations", self.annotations), ("drafts", self.drafts)):
            if folder[-1:] == [name] and last.isdecimal():
                if int(last) not in rows:
                    return httpx.Response(404, json={})
                rows[int(last)] |= body
                return httpx.Response(200, json=rows[int(last)])
        if request.method == "POST" and last in ("annotations", "drafts"):
            number = 900 + len(self.requests)
            row = {"id": number, "task": int(folder[3]), "user": "own@x.invalid", **body}
            (self.annotations if last == "annotations" else self.drafts)[number] = row
            return httpx.Response(201, json=row)
        if folder[2:3] == ["tasks"] and last == "drafts":
            if int(folder[3]) not in self.tasks:
                return httpx.Response(404, json={})
            found = [row for row in self.drafts.values() if row["task"] == int(folder[3])]
            return httpx.Response(200, json=found)
        if folder[-1:] == ["tasks"] and last.isdecimal():
            found = self.tasks.get(int(last))
            return httpx.Response(200, json=found) if found else httpx.Response(404, json={})
        if path == "/api/current-user/whoami":
            return httpx.Response(200, json={"id": OWN, "permissions": ["projects.delete"]})
        if path == "/api/dm/columns":
            people = {"id": "annotators", "schema": {"items": ["owner@x"]}}
            columns = [{"id": "title", "parent": "data"}, people, {"id": "data", "children": []}]
            return httpx.Response(200, json={"columns": columns})
        if folder[-1:] == ["projects"] or path == "/api/dm/project":
            secret = {"id": 5, "title": "t", "created_by": {"email": "owner@x"}, "task_number": 9}
            return httpx.Response(200, json=secret)
        return httpx.Response(200, json={"reached": path})


@pytest.fixture
def studio(monkeypatch):
    fake = FakeLabelStudio()
    monkeypatch.setattr(upstream, "_transport", fake)
    return fake


@pytest.fixture
def crew(db, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return make_people()


@pytest.fixture
def gateway(studio, crew, settings):
    """`gateway.as_(role)` is a client of the gateway logged in as that role, and `gateway.task` a
    task handed to the labeler; `gateway.foreign` was handed to somebody else."""
    settings.MIDDLEWARE = gateway_settings.MIDDLEWARE
    settings.GATEWAY_URL, settings.GOLD_RATE = "http://testserver", 0.0
    cache.clear()
    for number, (role, user) in enumerate(crew.items()):
        remote_id = OWN + number * 100
        LabelStudioAccount.objects.create(
            user=user, email=f"{role}@x.invalid", password="p", remote_id=remote_id
        )
        entry = {"remote_id": remote_id, "email": f"{role}@x.invalid"}
        cache.set(
            f"gateway:entry:{user.pk}", entry | {"sessionid": f"s-{role}", "csrftoken": "c" * 8}
        )
    project = LabelStudioProject.objects.create(kind="brand", remote_id=5, config_hash="")
    brand = BrandFactory(key="acorn", name_en="Acorn")
    # Handed to the labeler; to somebody else; waiting for anybody.
    tasks = [
        TaskFactory(
            state="pushed", remote_id=remote_id, focus_brand=brand, answers_wanted=1,
            proposal={"brand": "acorn", "answer": "brand"}, priority=remote_id,
        )
        for remote_id in (11, 12, 13)
    ]  # fmt: skip
    until = "2100-01-01T00:00:00Z"
    Assignment.objects.create(task=tasks[0], to=crew["labeler"], expires_at=until)
    Assignment.objects.create(task=tasks[1], to=crew["ml_engineer"], expires_at=until)
    for task in tasks:
        studio.tasks[task.remote_id] = remote_task(task)
    studio.annotations[21] = annotation(21, 11, OWN)
    studio.annotations[22] = annotation(22, 11, OTHER)
    studio.drafts[31] = {"id": 31, "task": 11, "user": "labeler@x.invalid", "result": []}
    studio.drafts[32] = {"id": 32, "task": 11, "user": "other@x.invalid", "result": []}

    def as_(role):
        client = Client()
        if role:
            client.force_login(crew[role])
        return client

    return SimpleNamespace(
        as_=as_, studio=studio, crew=crew, project=project, brand=brand,
        task=tasks[0], foreign=tasks[1], free=tasks[2],
    )  # fmt: skip


def annotation(number, task, by):
    return {
        "id": number, "task": task, "completed_by": {"id": by, "email": f"{by}@x"},
        "result": [choice("acorn")], "was_cancelled": False, "ground_truth": True,
    }  # fmt: skip


def remote_task(task):
    drafts = [
        {"id": 31, "user": "labeler@x.invalid", "result": [], "task": task.remote_id},
        {"id": 32, "user": "other@x.invalid", "result": ["their draft"], "task": task.remote_id},
    ]
    return {
        "id": task.remote_id, "project": 5, "data": {TASK_KEY: str(task.pk), "title": "shoe"},
        "meta": {"strategy": "probe"}, "annotators": [OTHER], "agreement": 50,
        "annotations": [annotation(21, task.remote_id, OWN), annotation(22, task.remote_id, OTHER)],
        "drafts": drafts,
        "predictions": [
            {"id": 1, "model_version": "proposal", "result": [choice("acorn")], "score": 0.9},
            {"id": 2, "model_version": "secret", "result": [choice("acorn")], "score": 0.8},
        ],
    }  # fmt: skip


def choice(picked, name="brand"):
    return {
        "id": "x", "from_name": name, "to_name": "image", "type": "choices",
        "value": {"choices": [picked]},
    }  # fmt: skip


def post(client, path, body=None, **headers):
    return client.post(
        path,
        json.dumps(body if body is not None else {}),
        content_type="application/json",
        headers={"Origin": "http://testserver", **headers},
    )


def patch(client, path, body, **headers):
    return client.patch(
        path,
        json.dumps(body),
        content_type="application/json",
        headers={"Origin": "http://testserver", **headers},
    )
