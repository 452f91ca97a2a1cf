"""Pages and API of sources: what they show, who may do what, and that no secret is shown."""

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from active_learning.models import Source, SourceRun
from active_learning.sentences import sentence
from annotation.models import AuditEntry, Brand, Feature, GuidelineVersion, Task
from tests.active_learning.factories import DatasetVersionFactory

FIELDS = {
    "name": "reviews", "kind": "reviews", "connector": "folder", "path": "reviews", "split": "pool",
    "schedule": "once", "trust": "measured", "enabled": "on",
}  # fmt: skip


@pytest.fixture(autouse=True)
def root(settings, tmp_path):
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    settings.DATA_DIR = tmp_path


@pytest.fixture
def api(people) -> APIClient:
    client = APIClient()
    client.force_authenticate(people["operations"])
    return client


def test_no_source_yet_says_what_to_do_next(log_in):
    page = log_in("operations").get(reverse("sources")).content.decode()
    assert "No source yet." in page
    assert "Ask for boxes" not in page  # that is the engineers'
    assert "Ask for boxes" in log_in("ml_engineer").get(reverse("sources")).content.decode()


@pytest.mark.parametrize("role", ["operations", "ml_engineer"])
def test_a_source_is_added_changed_and_run_by_staff(log_in, role):
    client = log_in(role)
    made = client.post(reverse("source-new"), FIELDS)
    assert made.headers["Location"] == reverse("source", args=["reviews"])
    source = Source.objects.get()
    assert (source.place, source.enabled, source.created_by.username) == (
        {"path": "reviews"}, True, role,
    )  # fmt: skip
    page = client.get(reverse("source-change", args=["reviews"])).content.decode()
    assert 'value="reviews"' in page
    assert 'name="name"' not in page
    changed = FIELDS | {"trust": "never", "kind": "flagship"}
    client.post(reverse("source-change", args=["reviews"]), changed)
    source.refresh_from_db()
    assert (source.trust, source.kind) == ("never", "flagship")
    client.post(reverse("source-run", args=["reviews"]))
    run = SourceRun.objects.get()
    page = client.get(reverse("source-run-detail", args=[run.pk])).content.decode()
    assert "queued" in page
    client.post(reverse("source-run-cancel", args=[run.pk]))
    run.refresh_from_db()
    assert run.state == "cancelled"
    client.post(reverse("source-run-resume", args=[run.pk]))
    run.refresh_from_db()
    assert run.state == "queued"
    noted = AuditEntry.objects.filter(subject_type="source").order_by("pk")
    assert list(noted.values_list("action", flat=True)) == [
        "create_source", "change_source", "run_source", "cancel_source_run", "run_source",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"path": "/etc"}, "not in a folder that sources may read"),
        ({"schedule": "sometimes"}, "crontab"), ({"weak_answer": "brand"}, "Name the brand"),
        ({"connector": "http", "url": "http://a.example/", "secret": "hunter2"}, "SOURCE_SECRET_"),
        ({"connector": "http"}, "needs a url"), ({"name": ""}, "required"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_with_everything_typed_still_there(log_in, fields, why):
    answer = log_in("operations").post(reverse("source-new"), FIELDS | fields)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert why in page
    assert 'value="reviews"' in page or fields.get("name") == ""
    assert not Source.objects.exists()


def test_fields_of_another_connector_are_left_out(log_in):
    given = FIELDS | {"connector": "http", "url": "https://a.example/list", "bucket": "x"}
    log_in("operations").post(reverse("source-new"), given)
    assert Source.objects.get().place == {"url": "https://a.example/list"}


@pytest.mark.usefixtures("small_demo")
def test_the_pages_tell_how_a_source_stands(log_in, monkeypatch):
    monkeypatch.setenv("SOURCE_SECRET_SEARCH", "hunter2")
    client = log_in("operations")
    page = client.get(reverse("sources")).content.decode()
    assert "only once looked at" in page
    assert ">200<" in page  # taken in
    page = client.get(reverse("source", args=["search-northwind"])).content.decode()
    assert "SOURCE_SECRET_SEARCH" in page
    assert "hunter2" not in page
    run = SourceRun.objects.get(state="succeeded")
    page = client.get(reverse("source-run-detail", args=[run.pk])).content.decode()
    assert "broken-1.jpg" in page
    assert "not an image" in page
    part = client.get(
        reverse("source", args=["product_table"]),
        headers={"HX-Request": "true", "HX-Target": "runs"},
    ).content.decode()
    assert "<html" not in part
    assert "succeeded" in part


@pytest.mark.usefixtures("small_demo")
def test_people_are_asked_about_a_source_and_about_boxes(log_in):
    client = log_in("ml_engineer")
    client.post(reverse("source-check", args=["product_table"]), {"count": "3"})
    assert Task.objects.filter(strategy="source_check", blind=True).count() == 3
    answer = client.post(reverse("boxes-ask"), {"count": "2"}, follow=True)
    asked = Task.objects.filter(strategy="detection_set")
    assert asked.count() == 2
    assert "asked to box them" in answer.content.decode()
    answer = client.post(reverse("boxes-ask"), {"count": "many"}, follow=True)
    assert "Give a number" in answer.content.decode()


@pytest.mark.usefixtures("small_demo")
def test_a_brand_shows_where_its_images_come_from_and_which_styles_want_more(log_in):
    brand = Brand.objects.get(key="brand-37")
    version = GuidelineVersion.objects.create(brand=brand, number=1)
    Feature.objects.create(version=version, kind="pattern", text="Woven diamonds 菱形编织")
    GuidelineVersion.objects.filter(pk=version.pk).update(
        state="published", published_at=timezone.now()
    )
    page = log_in("operations").get(reverse("brand", args=[brand.key])).content.decode()
    assert "Where its training images come from" in page
    assert "品牌37 菱形编织 · Brand 37 woven diamonds" in page
    assert "fewer than 20" in page
    labeler = log_in("labeler").get(reverse("brand", args=[brand.key])).content.decode()
    assert "Where its training images come from" not in labeler


def test_a_dataset_says_what_it_left_out_and_why(log_in, api):
    row = {"source": "shop", "brand": "", "rows": 17, "why": sentence("only once looked at")}
    dataset = DatasetVersionFactory(left_out=[row])
    page = log_in("operations").get(reverse("dataset", args=[dataset.sha256])).content.decode()
    assert "Left out" in page
    assert "only once looked at" in page
    told = api.get(f"/api/datasets/{dataset.sha256}/").json()["left_out"]
    assert told == [row | {"why": "only once looked at"}]


def test_the_api_adds_changes_runs_and_cancels(api):
    given = {"name": "web", "kind": "keywords", "connector": "http",
             "place": {"url": "https://a.example/list"}}  # fmt: skip
    made = api.post("/api/sources/", given, format="json")
    assert made.status_code == 201
    assert made.json()["rightness"] is None
    refused = api.patch("/api/sources/web/", {"schedule": "x"}, format="json")
    assert refused.status_code == 409
    changed = api.patch("/api/sources/web/", {"trust": "never"}, format="json").json()
    assert (changed["trust"], changed["place"]) == ("never", given["place"])
    assert changed["left_out"] == "only once looked at"
    run = api.post("/api/sources/web/run/").json()
    assert (run["state"], run["source"], run["trigger"]) == ("queued", "web", "person")
    assert api.post("/api/sources/web/run/").status_code == 409
    assert api.post(f"/api/source-runs/{run['id']}/cancel/").json()["state"] == "cancelled"
    assert api.get(f"/api/source-runs/{run['id']}/refusals/").json()["count"] == 0
    assert api.post("/api/sources/web/check/", {"count": 5}).status_code == 409
    assert api.post("/api/detection-set/", {"count": 5}).status_code == 403


@pytest.mark.usefixtures("small_demo")
def test_one_call_tells_where_a_brands_images_come_from(api, django_assert_max_num_queries):
    with django_assert_max_num_queries(9):
        told = api.get("/api/brand-sources/brand-01/").json()
    assert told["pool"] > 0
    assert told["sources"][0]["name"] == "product_table"
    assert told["key_styles"] == []
