"""Pages and API of guidelines: who sees what, what a refusal says, and what stays as it was."""

import io
import json

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image as Picture
from rest_framework.test import APIClient

from annotation.guidelines import (
    ExampleDraft,
    FeatureDraft,
    begin_draft,
    draft_guideline,
    publish_guideline,
    submit_guideline,
)
from annotation.models import GuidelineVersion
from tests.factories import BrandFactory, ImageFactory

SECRET = "not to be seen before it is published"


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "media"},
        },
    }


@pytest.fixture
def brand(db):
    return BrandFactory(key="peak", name_en="Peak")


def png(size=(40, 30)) -> bytes:
    out = io.BytesIO()
    Picture.new("RGB", size, "tan").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def published(brand, people):
    file = default_storage.save("guidelines/aa/x.png", ContentFile(png()))
    box = {"x1": 1, "y1": 2, "x2": 30, "y2": 20}
    feature = FeatureDraft("logo", "three stripes", True, [ExampleDraft(file, 40, 30, [box])])
    version = draft_guideline(brand=brand, rules="The **tongue**.", features=[feature])
    return publish_guideline(version=version, by=people["operations"])


@pytest.fixture
def draft(published, people):
    version = begin_draft(brand=published.brand, by=people["operations"])
    GuidelineVersion.objects.filter(pk=version.pk).update(rules=SECRET)
    version.refresh_from_db()
    return version


def post_json(client, address: str, data) -> tuple[int, dict]:
    response = client.post(address, json.dumps(data), content_type="application/json")
    return response.status_code, response.json()


def test_a_labeler_sees_what_is_published_and_no_draft_by_any_address(draft, published, log_in):
    client = log_in("labeler")
    page = client.get(reverse("brand", args=["peak"])).content.decode()
    assert "<strong>tongue</strong>" in page and "three stripes" in page
    assert SECRET not in page and 'href="/guidelines/' not in page
    api = APIClient()
    api.force_authenticate(client.get("/me/").wsgi_request.user)
    for version in (draft, published):
        for name in ("guideline", "guideline-edit", "guideline-diff", "guideline-export",
                     "guideline-preview", "guideline-content"):  # fmt: skip
            response = client.get(reverse(name, args=[version.pk]))
            assert response.status_code == 403, name
            assert SECRET not in response.content.decode()
        assert api.get(f"/api/guidelines/{version.pk}/").status_code == 403
    assert api.get("/api/guidelines/").status_code == 403


def test_an_engineer_reads_and_changes_nothing(draft, log_in, people):
    client = log_in("ml_engineer")
    page = client.get(reverse("guideline", args=[draft.pk])).content.decode()
    assert SECRET in page and reverse("guideline-edit", args=[draft.pk]) not in page
    assert client.get(reverse("guideline-edit", args=[draft.pk])).status_code == 403
    for name in ("save", "picture", "submit", "return", "retire", "discard"):
        assert client.post(reverse(f"guideline-{name}", args=[draft.pk])).status_code == 403
    api = APIClient()
    api.force_authenticate(people["ml_engineer"])
    assert api.get(f"/api/guidelines/{draft.pk}/").json()["rules"] == SECRET
    assert api.post("/api/guidelines/", {"brand": "peak"}).status_code == 403
    assert api.patch(f"/api/guidelines/{draft.pk}/", {}).status_code == 403


def test_the_pages_keep_to_few_queries(draft, log_in, django_assert_max_num_queries):
    client = log_in("operations")
    for name in ("guideline", "guideline-edit", "guideline-diff", "guideline-preview"):
        with django_assert_max_num_queries(15, info=name):
            assert client.get(reverse(name, args=[draft.pk])).status_code == 200


def test_nothing_is_inline(draft, log_in):
    client = log_in("operations")
    for name in ("guideline", "guideline-edit", "guideline-diff"):
        page = client.get(reverse(name, args=[draft.pk])).content.decode()
        assert "<style" not in page and " style=" not in page and " onclick=" not in page
        assert page.count("<script") == page.count("<script src=")


def test_from_the_first_draft_to_retired_by_pages_alone(brand, log_in):
    client = log_in("operations")
    answer = client.post(reverse("guideline-draft", args=["peak"]))
    version = GuidelineVersion.objects.get()
    assert answer.url == reverse("guideline-edit", args=[version.pk])
    sent = {"edited_at": version.edited_at.isoformat(), "content": {"rules": "Look."}}
    status, saved = post_json(client, reverse("guideline-save", args=[version.pk]), sent)
    assert (status, list(saved)) == (200, ["edited_at"])
    for step, state in (("submit", "review"), ("return", "draft"), ("submit", "review")):
        client.post(reverse(f"guideline-{step}", args=[version.pk]), {"why": "x"})
        version.refresh_from_db()
        assert version.state == state
    assert client.get(reverse("guideline-edit", args=[version.pk])).status_code == 302
    publish_guideline(version=version, by=None)
    page = client.post(reverse("guideline-retire", args=[version.pk]), follow=True)
    assert "Say why it is retired" in page.content.decode()
    client.post(reverse("guideline-retire", args=[version.pk]), {"why": "brand left"})
    version.refresh_from_db()
    assert version.state == "retired"


def test_a_second_draft_is_refused_and_says_which_is_open(draft, log_in):
    page = log_in("operations").post(reverse("guideline-draft", args=["peak"]), follow=True)
    assert "Peak v2 is not published yet" in page.content.decode()
    assert GuidelineVersion.objects.count() == 2


def test_a_draft_is_discarded_and_a_published_version_is_not(draft, published, log_in):
    client = log_in("operations")
    client.post(reverse("guideline-discard", args=[draft.pk]))
    page = client.post(reverse("guideline-discard", args=[published.pk]), follow=True)
    assert "not a draft" in page.content.decode()
    assert list(GuidelineVersion.objects.all()) == [published]


@pytest.mark.parametrize(
    "sent",
    [
        [],
        {},
        {"edited_at": "x", "content": {}},
        {"edited_at": 3, "content": {}},
        {"edited_at": "2026-01-01T00:00:00+00:00"},
        {"edited_at": "2026-01-01T00:00:00+00:00", "content": {"features": [{"kind": "smell"}]}},
    ],
)
def test_what_is_no_draft_is_refused_in_words(draft, log_in, sent):
    status, answer = post_json(
        log_in("operations"), reverse("guideline-save", args=[draft.pk]), sent
    )
    assert status == 400
    assert answer["error"]
    draft.refresh_from_db()
    assert draft.rules == SECRET


def test_a_conflict_and_a_draft_in_review_are_told_apart(draft, log_in, people):
    client = log_in("operations")
    place = reverse("guideline-save", args=[draft.pk])
    old = {"edited_at": "2020-01-01T00:00:00+00:00", "content": {"rules": "mine"}}
    status, answer = post_json(client, place, old)
    assert status == 409
    assert answer["edited_at"] == draft.edited_at.isoformat()
    submit_guideline(version=draft, by=people["operations"])
    now = {"edited_at": draft.edited_at.isoformat(), "content": {"rules": "mine"}}
    status, answer = post_json(client, place, now)
    assert (status, list(answer)) == (409, ["error"])
    assert "no longer a draft (in review)" in answer["error"]


def test_pictures_come_by_upload_or_by_hash(draft, log_in):
    client = log_in("operations")
    place = reverse("guideline-picture", args=[draft.pk])
    sent = client.post(place, {"file": SimpleUploadedFile("a.png", png())}).json()
    assert (sent["width"], sent["height"]) == (40, 30)
    assert client.get(sent["address"]).status_code == 200
    image = ImageFactory()
    assert client.post(place, {"sha256": image.sha256[:10]}).json()["file"] == image.file
    test = ImageFactory(split="closed")
    for data, said in (
        ({"sha256": "0" * 64}, "No image has the hash"),
        ({"sha256": ""}, "No image has the hash"),
        ({"sha256": test.sha256}, "test material"),
        ({"file": SimpleUploadedFile("x.svg", b"<svg onload='x'/>")}, "x.svg: not an image"),
    ):
        answer = client.post(place, data)
        assert (answer.status_code, said in answer.json()["error"]) == (400, True), said


def test_a_file_goes_out_and_comes_in_by_page(published, log_in):
    client = log_in("operations")
    answer = client.get(reverse("guideline-export", args=[published.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="peak-v1.zip"'
    BrandFactory(key="other")
    upload = SimpleUploadedFile("peak.zip", answer.content)
    came = client.post(reverse("guideline-import", args=["other"]), {"file": upload}, follow=True)
    assert came.status_code == 200
    assert GuidelineVersion.objects.get(brand__key="other").state == "draft"
    broken = SimpleUploadedFile("x.zip", b"no")
    BrandFactory(key="third")
    page = client.post(reverse("guideline-import", args=["third"]), {"file": broken}, follow=True)
    assert "not a readable zip file" in page.content.decode()
    assert not GuidelineVersion.objects.filter(brand__key="third").exists()


def test_the_preview_is_what_the_task_carries(published, log_in, settings):
    from annotation.labelstudio.guideline import render
    from annotation.selectors.guidelines import versions

    shown = log_in("operations").get(reverse("guideline-preview", args=[published.pk]))
    carried = render(versions=[versions().get(pk=published.pk)])
    assert shown.content.decode() == carried.replace(f'src="{settings.PUBLIC_URL}/', 'src="/')
    assert 'src="/files/' in shown.content.decode()


def test_drafts_over_the_api(published, people):
    api = APIClient()
    api.force_authenticate(people["operations"])
    begun = api.post("/api/guidelines/", {"brand": "peak"}, format="json")
    assert begun.status_code == 201
    assert begun.json()["features"][0]["examples"][0]["regions"][0]["x2"] == 30
    assert api.post("/api/guidelines/", {"brand": "peak"}, format="json").status_code == 409
    place = f"/api/guidelines/{begun.json()['id']}/"
    token = begun.json()["edited_at"]
    changed = api.patch(place, {"edited_at": token, "least_logo": 9}, format="json")
    assert changed.status_code == 200
    assert (changed.json()["least_logo"], changed.json()["rules"]) == (9, "The **tongue**.")
    late = api.patch(place, {"edited_at": token, "rules": "late"}, format="json")
    assert late.status_code == 409
    token = changed.json()["edited_at"]
    bad = {
        "edited_at": token,
        "features": [{"kind": "logo", "examples": [{"file": "secrets.json"}]}],
    }
    refused = api.patch(place, bad, format="json")
    assert (refused.status_code, "secrets.json" in str(refused.json())) == (400, True)
    old = api.patch(
        f"/api/guidelines/{published.pk}/",
        {"edited_at": published.edited_at.isoformat(), "rules": "x"},
        format="json",
    )
    assert old.status_code == 409
    listed = api.get("/api/guidelines/?brand=peak&state=published").json()
    assert [row["id"] for row in listed["results"]] == [published.pk]
    assert api.delete(place).status_code == 405
