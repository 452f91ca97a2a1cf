"""Every address for every role: open where it should be, closed everywhere else."""

import uuid

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.request import Request
from rest_framework.test import APIClient
from rest_framework.views import APIView

from active_learning.models import ColdStart, Shadow, TrainingRun
from annotation.access import Role, roles_allowed, roles_of
from annotation.models import GuidelineVersion, Image, Label, Question, ReturnedTask, Task
from webapp.middleware import OPEN_VIEWS, RolesRequired
from webapp.roles import RolePermission, ensure_roles

ROLES = ("labeler", "operations", "ml_engineer", "admin")
EVERYBODY = frozenset(ROLES)
STAFF = frozenset({"operations", "ml_engineer", "admin"})
ENGINEERS = frozenset({"ml_engineer", "admin"})
OPERATIONS = frozenset({"operations", "admin"})

# What each page is for; a new one must be added here with its roles.
OPEN_TO = {
    **dict.fromkeys(["home", "my-work", "account", "new-token", "brand"], EVERYBODY),
    **dict.fromkeys(["my-labels", "questions-seen"], EVERYBODY),
    **dict.fromkeys(["test", "test-start", "test-answer"], EVERYBODY),
    **dict.fromkeys(["annotators", "annotator", "hold-release", "gold", "gold-add"], OPERATIONS),
    **dict.fromkeys(["gold-retire", "brand-groups", "brand-group-save"], OPERATIONS),
    **dict.fromkeys(["brand-group-remove", "api-gold-list", "api-gold-detail"], OPERATIONS),
    **dict.fromkeys(["api-gold-retire", "api-hold-list", "api-hold-detail"], OPERATIONS),
    **dict.fromkeys(["api-hold-release", "api-skill-list", "api-skill-detail"], OPERATIONS),
    **dict.fromkeys(["questions", "question", "question-list", "question-detail"], STAFF),
    **dict.fromkeys(["returnedtask-list", "returnedtask-detail"], STAFF),
    **dict.fromkeys(["answer-question", "dismiss-question"], OPERATIONS),
    **dict.fromkeys(["question-answer", "question-dismiss"], OPERATIONS),
    **dict.fromkeys(["labels-send-back", "labels-release", "return-cancel"], OPERATIONS),
    **dict.fromkeys(["returnedtask-cancel"], OPERATIONS),
    **dict.fromkeys(["rounds", "round", "labels", "images", "image", "brands"], STAFF),
    **dict.fromkeys(["cold-starts", "cold-start", "coldstart-list", "coldstart-detail"], STAFF),
    **dict.fromkeys(["cold-start-begin", "cold-start-cancel", "cold-start-resume"], ENGINEERS),
    **dict.fromkeys(["coldstart-cancel", "coldstart-resume"], ENGINEERS),
    **dict.fromkeys(["shadow", "shadow-begin", "shadow-end"], ENGINEERS),
    **dict.fromkeys(["api-shadow-list", "api-shadow-detail", "api-shadow-end"], ENGINEERS),
    **dict.fromkeys(["training", "run", "models", "model"], ENGINEERS),
    **dict.fromkeys(["datasets", "dataset", "datasetversion-list"], STAFF),
    **dict.fromkeys(["datasetversion-detail", "export-file", "image-lineage"], STAFF),
    **dict.fromkeys(["image-embed", "label-lineage", "api-image-lineage-detail"], STAFF),
    **dict.fromkeys(["api-label-lineage-detail", "datasetexport-list"], STAFF),
    **dict.fromkeys(["datasetexport-detail", "datasetexport-file"], STAFF),
    **dict.fromkeys(["export-request", "export-cancel", "export-delete"], ENGINEERS),
    **dict.fromkeys(["datasetexport-cancel"], ENGINEERS),
    **dict.fromkeys(["model-versions", "release", "label-studio"], ENGINEERS),
    **dict.fromkeys(["round-open", "round-cancel", "round-retry"], ENGINEERS),
    **dict.fromkeys(["forecasts", "forecast", "forecast-list", "forecast-detail"], STAFF),
    **dict.fromkeys(["forecast-request", "forecast-open", "forecast-cancel"], ENGINEERS),
    **dict.fromkeys(["api-forecast-open", "trainingrun-plan"], ENGINEERS),
    **dict.fromkeys(["run-request", "run-cancel", "run-resume", "run-graph"], ENGINEERS),
    **dict.fromkeys(["job-list", "api-job-cancel", "api-job-resume", "job-rescan"], ENGINEERS),
    **dict.fromkeys(["queue", "job-cancel", "job-resume", "rescan", "round-graph"], ENGINEERS),
    **dict.fromkeys(["roll-back", "release-promote", "release-download"], ENGINEERS),
    **dict.fromkeys(["compare-releases", "measure-releases"], ENGINEERS),
    **dict.fromkeys(["compare-image", "explain-image"], ENGINEERS),
    **dict.fromkeys(["release-compare", "release-export"], ENGINEERS),
    **dict.fromkeys(["schema", "docs"], EVERYBODY),
    **dict.fromkeys(["guideline", "guideline-diff", "guideline-export"], STAFF),
    **dict.fromkeys(["guideline-preview", "guideline-list", "guideline-detail"], STAFF),
    **dict.fromkeys(["guideline-edit", "guideline-content", "guideline-save"], OPERATIONS),
    **dict.fromkeys(["guideline-picture", "guideline-draft", "guideline-import"], OPERATIONS),
    **dict.fromkeys(["guideline-submit", "guideline-return", "guideline-retire"], OPERATIONS),
    **dict.fromkeys(["guideline-discard"], OPERATIONS),
    **dict.fromkeys(["brand-list", "brand-detail", "image-list", "image-detail"], STAFF),
    **dict.fromkeys(["task-list", "task-detail", "label-list", "label-detail"], STAFF),
    **dict.fromkeys(["round-list", "round-detail", "selection-list"], STAFF),
    **dict.fromkeys(["trainingrun-list", "trainingrun-detail", "scan-list"], ENGINEERS),
    **dict.fromkeys(["release-list", "release-detail", "scan-detail"], ENGINEERS),
    **dict.fromkeys(["modelversion-list", "modelversion-detail"], ENGINEERS),
    **dict.fromkeys(["evaluation-list", "evaluation-detail"], ENGINEERS),
    **dict.fromkeys(["api-round-cancel", "api-round-retry"], ENGINEERS),
    **dict.fromkeys(["trainingrun-cancel", "release-roll-back"], ENGINEERS),
    **dict.fromkeys(["api-release-promote"], ENGINEERS),
    **dict.fromkeys(["people", "invite", "revoke-invitation"], OPERATIONS),
    **dict.fromkeys(["deactivate-person", "activate-person"], OPERATIONS),
    **dict.fromkeys(["set-roles"], frozenset({"admin"})),
    **dict.fromkeys(["change-password"], EVERYBODY),
    **dict.fromkeys(["cases", "case", "case-list", "case-detail", "case-like"], EVERYBODY),
    **dict.fromkeys(["contradictions", "embedding-state", "embedding-cancel"], STAFF),
    **dict.fromkeys(["embedding-resume", "picture-search", "picture-search-result"], STAFF),
    **dict.fromkeys(["case-new", "edit-case", "merge-case", "supersede-case"], OPERATIONS),
    **dict.fromkeys(["retire-case", "both-stand", "case-merge", "case-supersede"], OPERATIONS),
    **dict.fromkeys(["case-retire"], OPERATIONS),
    **dict.fromkeys(["guideline-publish", "missed-enter", "missed-import"], OPERATIONS),
    **dict.fromkeys(["licences-import", "audit", "auditentry-list"], OPERATIONS),
    **dict.fromkeys(["auditentry-detail"], OPERATIONS),
    **dict.fromkeys(["missed", "licences", "missedrisk-list", "missedrisk-detail"], STAFF),
    **dict.fromkeys(["review", "review-cases", "products", "product"], STAFF),
    **dict.fromkeys(["review-verdict", "review-undo", "image-verdict"], OPERATIONS),
    **dict.fromkeys(["image-copies", "copies-verdict", "flag-verdict"], OPERATIONS),
    **dict.fromkeys(["flag-list", "flag-detail", "product-list", "product-detail"], STAFF),
    **dict.fromkeys(["merchant-list", "merchant-detail", "merchants", "merchant"], STAFF),
    **dict.fromkeys(["monitoring", "alerts", "acknowledge-alert", "alert-acknowledge"], STAFF),
    **dict.fromkeys(["measurement-list", "measurement-detail"], STAFF),
    **dict.fromkeys(["alert-list", "alert-detail"], STAFF),
    **dict.fromkeys(["sources", "source", "source-new", "source-change", "source-run"], STAFF),
    **dict.fromkeys(["source-check", "source-run-detail", "source-run-cancel"], STAFF),
    **dict.fromkeys(["source-run-resume", "api-source-list", "api-source-detail"], STAFF),
    **dict.fromkeys(["api-source-run", "api-source-check", "api-source-run-list"], STAFF),
    **dict.fromkeys(["api-source-run-detail", "api-source-run-cancel"], STAFF),
    **dict.fromkeys(["api-source-run-refusals", "api-brand-sources-detail"], STAFF),
    **dict.fromkeys(["boxes-ask", "api-detection-set-list"], ENGINEERS),
}
# Names that a page and an action of the API share.
SHARED = {
    "job-cancel",
    "job-resume",
    "round-cancel",
    "round-retry",
    "release-promote",
    "forecast-open",
}
POSTED = {
    "test-start", "test-answer", "hold-release", "gold-add", "gold-retire", "brand-group-save",
    "brand-group-remove", "api-gold-retire", "api-hold-release",
    "review-verdict", "review-undo", "image-verdict", "image-copies", "copies-verdict",
    "flag-verdict",
    "missed-import", "licences-import",
    "guideline-draft", "guideline-import", "guideline-save", "guideline-picture",
    "guideline-submit", "guideline-return", "guideline-retire", "guideline-discard",
    "new-token", "change-password", "invite", "revoke-invitation", "deactivate-person",
    "activate-person", "set-roles",
    "questions-seen", "answer-question", "dismiss-question", "question-answer",
    "question-dismiss", "labels-send-back", "labels-release", "return-cancel",
    "returnedtask-cancel",
    "round-open", "round-cancel", "round-retry", "run-request", "run-cancel",
    "forecast-request", "forecast-open", "forecast-cancel", "api-forecast-open",
    "api-job-cancel", "api-job-resume", "job-rescan",
    "run-resume", "job-cancel", "job-resume", "rescan", "roll-back", "release-promote",
    "api-round-cancel", "api-round-retry",
    "trainingrun-cancel", "release-roll-back", "api-release-promote", "image-embed",
    "export-request", "export-cancel", "export-delete", "datasetexport-cancel",
    "measure-releases", "explain-image",
    "embedding-cancel", "embedding-resume", "picture-search", "edit-case", "merge-case",
    "supersede-case", "retire-case", "both-stand", "case-merge", "case-supersede", "case-retire",
    "acknowledge-alert", "alert-acknowledge",
    "cold-start-begin", "cold-start-cancel", "cold-start-resume", "coldstart-cancel",
    "coldstart-resume", "shadow-begin", "shadow-end", "api-shadow-end",
    "source-run", "source-check", "source-run-cancel", "source-run-resume", "boxes-ask",
    "api-source-run", "api-source-check", "api-source-run-cancel", "api-detection-set-list",
}  # fmt: skip


def routes(patterns=None, prefix: str = "") -> list[tuple[str, str, URLPattern]]:
    """(name, route, pattern) of every address but Django's admin site."""
    found = []
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                found += routes(pattern.url_patterns, route)
        else:
            name = str(pattern.name)
            found.append(
                (f"api-{name}" if name in SHARED and "api/" in route else name, route, pattern)
            )
    return found


def trial(route: str) -> dict[str, int]:
    """What a route of the cold start and of the release in shadow is about."""
    if "cold-starts/<" in route:
        return {"pk": ColdStart.objects.get().pk}
    if "api/shadows" in route:
        return {"pk": Shadow.objects.get().pk}
    return {"number": 3} if "shadow/" in route else {}


def address(route: str) -> str:
    """A route with things of the small demo in its place-holders."""
    run = TrainingRun.objects.latest("pk")
    sha256 = Image.objects.all()[0].sha256
    values = {
        "pk": run.pk, "number": 2, "key": "brand-01", "kind": "classifier", "name": "x",
        "job": "trainingrun",
        "sha256": run.dataset.sha256 if "dataset" in route else sha256,
    }  # fmt: skip
    if "tasks" in route:
        values["pk"] = Task.objects.all()[0].pk
    if "labels" in route or "label-lineage" in route:
        values["pk"] = Label.objects.all()[0].pk
    if "guidelines" in route:
        values["pk"] = GuidelineVersion.objects.all()[0].pk
    if "releases" in route or "rounds" in route:
        values["number"] = 1
    if route.startswith(("questions", "api/questions")):
        values["pk"] = Question.objects.all()[0].pk
    if "returns" in route or "returned-tasks" in route:
        values["pk"] = ReturnedTask.objects.all()[0].pk
    ids = ("previews", "forecasts", "scans", "evaluations", "model-versions", "alerts/")
    if any(part in route for part in (*ids, "measurements")):
        values["pk"] = 999_999  # found or not, the role is asked first
    values |= trial(route)
    if "<uuid:" in route:
        values["pk"] = uuid.uuid4()  # nobody's
    text = route
    for name, value in values.items():
        for kind in ("int:", "str:", "slug:", "path:", "uuid:"):
            text = text.replace(f"<{kind}{name}>", str(value))
    return f"/{text}"


@pytest.mark.slow
@pytest.mark.usefixtures("small_demo")
@pytest.mark.parametrize("role", [*ROLES, None])
def test_every_address_is_open_to_its_roles_alone(role, people):
    known = set()
    for name, route, _pattern in routes():
        if name in OPEN_VIEWS or name == "logout":
            continue
        known.add(name)
        client = Client()
        if role:
            client.force_login(people[role])
        place = address(route)
        # Without what a verb needs, so that those who may are refused by it and nothing changes.
        method = client.post if name in POSTED else client.get
        status = method(place).status_code
        if role is None:
            assert status in (302, 401, 403), (name, place, status)
        elif role in OPEN_TO[name]:
            # A scan of the pool needs nothing but a champion, which the demo has: 201.
            assert status in (200, 201, 302, 400, 404, 409), (name, place, status)
        else:
            assert status == 403, (name, place, status)
    assert known == OPEN_TO.keys()


@pytest.mark.usefixtures("small_demo")
@pytest.mark.parametrize("role", ROLES)
def test_only_engineers_change_things_over_the_api(role, people):
    client = APIClient()
    client.force_authenticate(people[role])
    for place in ("/api/rounds/", "/api/training-runs/"):
        status = client.post(place, {"config": {"nonsense": 1}}, format="json").status_code
        assert status in ({400, 409} if role in ENGINEERS else {403}), (place, status)
    for place in ("/api/brands/", "/api/images/", "/api/labels/", "/api/tasks/"):
        assert client.post(place, {}).status_code in (403, 405)


def test_a_view_that_names_no_role_is_closed(people):
    request = RequestFactory().get("/")
    request.user = people["ml_engineer"]
    request.resolver_match = get_resolver().resolve("/")

    def answer(request) -> HttpResponse:
        return HttpResponse("opened")

    gate = RolesRequired(answer)
    with pytest.raises(PermissionDenied):
        gate.process_view(request, answer, (), {})
    assert gate.process_view(request, roles_allowed(Role.ML_ENGINEER)(answer), (), {}) is None
    assert not RolePermission().has_permission(Request(request), APIView())


def test_every_api_view_is_checked_by_role():
    for name, _route, pattern in routes():
        view = getattr(pattern.callback, "cls", None)
        if view is not None:
            assert view.permission_classes == [RolePermission], name


@pytest.mark.usefixtures("small_demo")
def test_the_admin_site_is_for_administrators_and_tells_no_secret(people):
    for role in ROLES:
        client = Client()
        client.force_login(people[role])
        assert client.get("/admin/").status_code == (200 if role == "admin" else 403)
    page = client.get("/admin/").content.decode()
    assert "authtoken" not in page
    for model in ("label", "selection", "promotionevent", "consensus"):
        app = "active_learning" if model in ("selection", "promotionevent") else "annotation"
        assert client.get(f"/admin/{app}/{model}/add/").status_code == 403
        assert client.get(f"/admin/{app}/{model}/").status_code == 200


def test_roles_are_made_once_and_again_without_harm(db, capsys):
    Group.objects.all().delete()
    call_command("ensure_roles")
    assert capsys.readouterr().out.count("made the role") == 4
    call_command("ensure_roles")
    assert not capsys.readouterr().out
    assert set(Group.objects.values_list("name", flat=True)) == EVERYBODY
    assert Group.objects.get(name="admin").permissions.exists()


def test_a_superuser_is_an_administrator_and_a_person_without_roles_nobody(db):
    ensure_roles()
    chief = User.objects.create_superuser("chief", password="x")
    nobody = User.objects.create_user("nobody", password="x")
    assert roles_of(chief) == {Role.ADMIN}
    assert roles_of(nobody) == frozenset()
    client = Client()
    client.force_login(nobody)
    assert client.get(reverse("home")).status_code == 403
    chief.is_active = False
    assert roles_of(chief) == frozenset()
