"""Pages of models: what stands against a release, releases side by side, and one to take away."""

import io
import re
import zipfile

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from active_learning.models import Evaluation, Explanation, ModelVersion, Release, RunMirror
from tests.active_learning.factories import EvaluationFactory, ReleaseFactory, TrainingRunFactory
from tests.active_learning.test_comparing import pair  # noqa: F401
from tests.active_learning.test_promotion import version  # noqa: F401
from tests.factories import BrandFactory, ImageFactory

COMPARE = "/releases/compare/"


@pytest.fixture
def api(people):
    client = APIClient()
    client.force_authenticate(people["ml_engineer"])
    return client


@pytest.mark.usefixtures("small_demo")
def test_a_release_the_gates_turned_down_is_overridden_on_its_page(log_in, people):
    client = log_in("ml_engineer")
    page = client.get(reverse("release", args=[3])).content.decode()
    assert "Override and promote" in page
    assert 'name="override" value="1"' in page
    refused = client.post(reverse("release-promote", args=[3]), {"why": "I like it"}, follow=True)
    assert "did not pass" in refused.content.decode()
    assert Release.objects.get(number=2).state == "champion"
    asked = {"why": "the new season sells", "override": "1"}
    client.post(reverse("release-promote", args=[3]), asked)
    assert Release.objects.get(number=3).state == "champion"
    for address in (reverse("release", args=[3]), reverse("models")):
        page = client.get(address).content.decode()
        assert "the new season sells" in page
        assert "overridden: " in page
        assert people["ml_engineer"].username in page


@pytest.mark.usefixtures("small_demo")
def test_a_release_the_gates_passed_is_promoted_without_a_word_on_them(log_in):
    page = log_in("admin").get(reverse("release", args=[1])).content.decode()
    assert "Override" not in page
    assert 'name="override"' not in page


@pytest.mark.usefixtures("small_demo")
def test_a_release_tells_each_brand_by_every_model_that_knows_brands(log_in):
    page = log_in("ml_engineer").get(reverse("release", args=[2])).content.decode()
    table = page[page.index("Recall by brand") :]
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", table)
    assert heads[0] == "Brand"
    assert heads[1::2] == ["classifier", "detector", "text", "fusion"]
    first = table[table.index("<tbody>") : table.index("</tr>", table.index("<tbody>"))]
    assert first.count("<td") == len(heads)


@pytest.mark.usefixtures("small_demo")
def test_the_api_overrides_only_when_asked_to(api, people):
    refused = api.post("/api/releases/3/promote/", {"why": "I like it"})
    assert refused.status_code == 409
    assert "did not pass" in refused.json()["detail"]
    api.force_authenticate(people["operations"])
    asked = {"why": "please", "override": True}
    assert api.post("/api/releases/3/promote/", asked).status_code == 403
    api.force_authenticate(people["ml_engineer"])
    event = api.post("/api/releases/3/promote/", asked).json()["events"][0]
    assert (event["by"], event["why"]) == (people["ml_engineer"].username, "please")
    assert {one["gate"] for one in event["overridden"]} <= {"recall", "map", "flags"}
    assert event["overridden"]


@pytest.fixture
def two(pair):  # noqa: F811
    """Two releases of which the first finds more; their images are known, and their brands."""
    BrandFactory(key="akira", name_en="Akira")
    for i in range(120):
        ImageFactory(sha256=f"{i:064x}", split="closed")
    return {"a": pair[0].number, "b": pair[1].number, "kind": "classifier"}


def test_two_releases_are_compared_by_brand_and_by_image_a_page_at_a_time(
    log_in, two, django_assert_max_num_queries
):
    client = log_in("ml_engineer")
    with django_assert_max_num_queries(15):
        page = client.get(COMPARE, two).content.decode()
    assert "closed mean recall, on the third that no gate reads" in page
    assert "Akira" in page
    assert "No such image" in page, "the worse one finds nothing more"
    with django_assert_max_num_queries(15):
        page = client.get(COMPARE, two | {"show": "a_only"}).content.decode()
    cards = page.count('<article class="card">')
    assert cards > 10
    assert "≠ nothing" in page
    shown = client.get(COMPARE, two | {"show": "a_only", "page": 99}).content.decode()
    assert 0 < shown.count('<article class="card">') <= cards


def test_releases_not_measured_together_can_be(log_in, two):
    client = log_in("ml_engineer")
    other = ReleaseFactory()
    ImageFactory(split="open")
    asked = two | {"b": other.number}
    page = client.get(COMPARE, asked).content.decode()
    assert "have not been measured on the same images" in page
    client.post(reverse("measure-releases"), asked)
    queued = Evaluation.objects.filter(state="queued")
    assert set(queued.values_list("release__number", flat=True)) == {two["a"], other.number}


def test_scores_that_are_gone_are_said_to_be(log_in, two):
    Evaluation.objects.update(report={})
    page = log_in("ml_engineer").get(COMPARE, two).content.decode()
    assert "were not kept" in page


def test_nothing_chosen_or_nonsense_leads_on(log_in):
    client = log_in("ml_engineer")
    assert "Choose two releases" in client.get(COMPARE).content.decode()
    odd = client.get(COMPARE, {"a": "x", "b": "9999999", "kind": "oracle"})
    assert odd.status_code == 200
    assert client.post(reverse("measure-releases"), {"a": "x"}).status_code == 302


def test_the_api_compares_two_releases(api, two):
    found = api.get("/api/releases/compare/", two).json()
    assert found["images"]["b_only"] == 0 < found["images"]["a_only"]
    assert "akira" in found["closed"]["per_brand"]
    assert api.get("/api/releases/compare/", two | {"a": 99999}).status_code == 404
    assert api.get("/api/releases/compare/", {"a": 1}).status_code == 400
    other = EvaluationFactory(manifest_sha256="2" * 64, state="succeeded")
    asked = two | {"b": other.release.number}
    assert api.get("/api/releases/compare/", asked).status_code == 409


def test_a_release_is_downloaded_as_a_zip_from_the_page_and_the_api(log_in, api, version):  # noqa: F811
    release = ReleaseFactory(classifier=version("classifier", 1))
    for answer in (
        log_in("ml_engineer").get(reverse("release-download", args=[release.number])),
        api.get(f"/api/releases/{release.number}/export/"),
    ):
        assert answer["Content-Type"] == "application/zip"
        content = b"".join(answer.streaming_content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert f"release-{release.number}/classifier/meta.json" in archive.namelist()


def test_a_release_whose_models_are_gone_is_not_downloaded(log_in, api, db):
    release = ReleaseFactory()
    client = log_in("ml_engineer")
    answer = client.get(reverse("release-download", args=[release.number]), follow=True)
    assert "no complete model here" in answer.content.decode()
    assert api.get(f"/api/releases/{release.number}/export/").status_code == 409


@pytest.mark.usefixtures("small_demo")
def test_a_model_version_tells_its_code_config_and_size(log_in):
    shown = Release.objects.get(number=2).classifier
    ModelVersion.objects.filter(pk=shown.pk).update(
        code_version="abc123", size=9_500_000, config={"backbone": "resnet18"}
    )
    client = log_in("ml_engineer")
    page = client.get(reverse("model", args=["classifier", 2])).content.decode()
    assert "abc123" in page and "resnet18" in page and "9.1" in page
    assert "abc123" in client.get(reverse("model-versions")).content.decode()


def test_a_run_shows_whether_mlflow_knows_of_it(log_in, db):
    mirror = RunMirror.objects.create(run=TrainingRunFactory(), error="no route", attempts=3)
    client, address = log_in("ml_engineer"), reverse("run", args=[mirror.run_id])
    page = client.get(address).content.decode()
    assert "no route" in page and "after 3 attempts; it is tried again" in page
    RunMirror.objects.update(error="", told_at=timezone.now(), remote_id="abc123")
    page = client.get(address).content.decode()
    assert "no route" not in page and "abc123" in page


def test_heat_maps_are_asked_for_and_shown_side_by_side(log_in, two, django_assert_max_num_queries):
    client = log_in("ml_engineer")
    sha256 = f"{0:064x}"
    chosen = two | {"label": "akira"}
    grid = client.get(COMPARE, two | {"show": "a_only"}).content.decode()
    assert "Heat maps" in grid
    address = reverse("compare-image", args=[sha256])
    page = client.get(address, chosen).content.decode()
    assert "Draw the heat maps" in page and "Akira" in page and "hx-get" not in page
    client.post(reverse("explain-image", args=[sha256]), chosen)
    assert Explanation.objects.filter(state="queued").count() == 2
    page = client.get(address, chosen).content.decode()
    assert "Draw the heat maps" not in page and "hx-get" in page
    first, second = Explanation.objects.order_by("pk")
    Explanation.objects.filter(pk=first.pk).update(
        state="succeeded", picture="explained/x.png", metrics={"score": 0.42}
    )
    Explanation.objects.filter(pk=second.pk).update(state="failed", error="the image is broken")
    with django_assert_max_num_queries(15):
        page = client.get(address, chosen).content.decode()
    assert "explained/x.png" in page and "0.42" in page
    assert "the image is broken" in page and "Draw the heat maps" in page
    part = client.get(address, chosen, headers={"HX-Request": "true", "HX-Target": "maps"})
    assert "<html" not in part.content.decode()
    assert client.get(address).status_code == 302
