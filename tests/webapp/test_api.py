"""The REST API: what it gives, in how many queries, and what its verbs do."""

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from active_learning.models import Release, Round, TrainingRun
from annotation.models import Brand, Label, LabelStudioAccount

LISTS = ("brands", "images", "tasks", "labels", "rounds", "forecasts", "selections",
         "training-runs", "releases", "model-versions", "evaluations", "scans",
         "jobs", "datasets", "dataset-exports", "measurements", "alerts", "sources",
         "source-runs")  # fmt: skip


@pytest.fixture
def api(people) -> APIClient:
    client = APIClient()
    token = Token.objects.create(user=people["ml_engineer"])
    client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
    return client


@pytest.mark.usefixtures("small_demo")
def test_lists_are_paged_and_take_the_same_few_queries_however_long(
    api, django_assert_max_num_queries
):
    for name in LISTS:
        with django_assert_max_num_queries(7, info=name):
            answer = api.get(f"/api/{name}/")
        assert answer.status_code == 200, name
        assert answer.json()["count"] >= len(answer.json()["results"]) > 0, name
        assert len(answer.json()["results"]) <= 50


@pytest.mark.usefixtures("small_demo")
def test_lists_are_filtered_and_refuse_what_makes_no_sense(api):
    key = Brand.objects.filter(labels__by__username="labeler", labels__kind="brand")[0].key
    answer = api.get(f"/api/labels/?kind=brand&answer=brand&by=labeler&brand={key}").json()
    theirs = Label.objects.filter(brand__key=key, by__username="labeler", kind="brand")
    assert answer["count"] == theirs.count() > 0
    assert {row["brand"] for row in answer["results"]} == {key}
    assert api.get("/api/labels/?kind=nonsense").status_code == 400
    assert api.get("/api/selections/?round=1&strategy=probe").json()["count"] > 0
    assert api.get("/api/images/?q=model 12").json()["count"] > 0


@pytest.mark.usefixtures("small_demo")
def test_single_things_are_found_by_their_own_names(api):
    assert api.get("/api/brands/brand-01/").json()["guideline_version"] >= 1
    sha256 = api.get("/api/images/").json()["results"][0]["sha256"]
    image = api.get(f"/api/images/{sha256}/").json()
    assert image["url"].startswith("http") and "?s=" in image["url"]
    assert api.get("/api/rounds/1/").json()["steps"][0]["name"] == "scan"
    assert api.get("/api/releases/2/").json()["events"][0]["action"] == "promoted"
    assert api.get("/api/releases/99/").status_code == 404


def test_the_schema_is_generated_without_a_warning():
    GENERATOR_STATS.reset()
    schema = SchemaGenerator().get_schema(request=None, public=True)
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache
    for name in LISTS:
        assert f"/api/{name}/" in schema["paths"]
    assert "/api/releases/{number}/promote/" in schema["paths"]


@pytest.mark.usefixtures("small_demo")
def test_a_release_is_promoted_and_rolled_back_with_who_and_why(api, people):
    assert api.post("/api/releases/1/promote/", {}).status_code == 400  # no reason given
    answer = api.post("/api/releases/1/promote/", {"why": "the new one misses Northwind"})
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "champion"
    event = Release.objects.get(number=1).events.all()[0]
    assert (event.by, event.why) == (people["ml_engineer"], "the new one misses Northwind")
    again = api.post("/api/releases/1/promote/", {"why": "again"})
    assert again.status_code == 409
    assert "champion already" in again.json()["detail"]
    back = api.post("/api/releases/roll-back/", {"why": "it does not"})
    assert back.json()["number"] == 2


@pytest.mark.usefixtures("small_demo")
def test_a_round_is_cancelled_once_and_another_opened(api):
    assert api.post("/api/rounds/", {}, format="json").status_code == 409  # one is running
    assert api.post("/api/rounds/2/cancel/").json()["state"] == "cancelled"
    assert api.post("/api/rounds/2/cancel/").status_code == 409
    odd = api.post("/api/rounds/", {"config": {"nonsense": 1}}, format="json")
    assert odd.status_code == 409
    assert "nonsense" in odd.json()["detail"]
    made = api.post("/api/rounds/", {"config": {"budget": {"brand": 5}}}, format="json")
    assert made.status_code == 201, made.content
    assert Round.objects.get(number=3).config["budget"] == {"brand": 5}


@pytest.mark.usefixtures("small_demo")
def test_a_training_is_refused_while_one_runs_and_cancelled_on_request(api):
    assert api.post("/api/training-runs/", {"kind": "classifier"}).status_code == 409
    assert api.post("/api/training-runs/", {"kind": "nonsense"}).status_code == 400
    run = TrainingRun.objects.get(state="running")
    assert api.post(f"/api/training-runs/{run.pk}/cancel/").status_code == 200
    run.refresh_from_db()
    assert run.cancel_requested


@pytest.mark.usefixtures("small_demo")
def test_jobs_are_narrowed_cancelled_and_run_again(api):
    found = api.get("/api/jobs/?queue=train").json()["results"]
    assert [(row["job"], row["person"]) for row in found] == [("trainingrun", "ml_engineer")]
    assert api.get("/api/jobs/?state=nonsense").status_code == 400
    (failed,) = api.get("/api/jobs/?state=failed").json()["results"]
    place = f"/api/jobs/trainingrun/{failed['id']}"
    assert api.post(f"{place}/resume/").json()["state"] == "queued"
    assert api.post(f"{place}/resume/").status_code == 409
    assert api.post(f"{place}/cancel/").json()["state"] == "cancelled"
    assert api.post("/api/jobs/nonsense/1/cancel/").status_code == 404


@pytest.mark.usefixtures("small_demo")
def test_no_secret_is_anywhere(api, people):
    LabelStudioAccount.objects.create(
        user=people["labeler"], email="l@x.invalid", password="hidden-pw", api_token="hidden-token"
    )
    for name in LISTS:
        assert "hidden" not in api.get(f"/api/{name}/").content.decode()
    schema = SchemaGenerator().get_schema(request=None, public=True)
    assert "password" not in str(schema) and "api_token" not in str(schema)


def test_a_wrong_token_opens_nothing(api):
    api.credentials(HTTP_AUTHORIZATION="Token wrong")
    assert api.get("/api/brands/").status_code in (401, 403)


def test_a_person_makes_a_token_that_is_shown_once(log_in):
    client = log_in("operations")
    page = client.post("/account/token/", follow=True).content.decode()
    key = Token.objects.get().key
    assert key in page
    assert key not in client.get("/account/").content.decode()
    answer = APIClient().get("/api/brands/", headers={"authorization": f"Token {key}"})
    assert answer.status_code == 200
