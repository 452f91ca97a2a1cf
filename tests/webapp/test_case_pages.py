"""The case library's pages and API, as each role sees them."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image as Picture
from rest_framework.test import APIClient

from active_learning.models import EmbeddingRun
from annotation import contradictions, vectors
from annotation.models import Case, CaseConflict, GoldItem, GuidelineVersion, ImageVector
from tests.annotation.case_rows import direction, make_case, make_space
from tests.factories import BrandFactory, ImageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(people):
    """A dozen cases with vectors, two of them contradicting, one retired."""
    space, brand = make_space(), BrandFactory(key="north", name_en="Northwind", name_zh="北风")
    made = [
        make_case(
            brand=brand, reason=f"Stripes like number {i} 条纹相似", by=people["operations"],
            region={"x1": 1, "y1": 2, "x2": 50, "y2": 60},
        )
        for i in range(12)
    ]  # fmt: skip
    made.append(make_case(verdict="brand", brand=brand, image=made[0].image, reason="It is."))
    stored = {case.image_id: direction(i % 9, 20, 0.1) for i, case in enumerate(made[:12])}
    vectors.store_vectors(space=space, embeddings=stored)
    contradictions.compare_vectors(space=space)
    Case.objects.filter(pk=made[3].pk).update(state="retired")
    return made


def text(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def numbers(response) -> list[int]:
    return [case.pk for case, _similarity in response.context["found"]]


def test_the_library_opens_on_active_cases_and_is_narrowed_by_words_and_filters(log_in, library):
    client = log_in("operations")
    assert library[3].pk not in numbers(client.get("/cases/"))
    assert numbers(client.get("/cases/?state=retired")) == [library[3].pk]
    assert len(numbers(client.get("/cases/?state="))) == 13
    assert numbers(client.get("/cases/", {"q": "条纹 number 7"})) == [library[7].pk]
    assert numbers(client.get("/cases/?verdict=brand&brand=north")) == [library[12].pk]
    assert "Nothing fits" in text(client.get("/cases/?q=nonesuch"))
    assert client.get("/cases/?brand=nobody&kind=odd&page=99").status_code == 200


def test_cases_like_a_case_or_an_image_come_nearest_first(log_in, library):
    client = log_in("ml_engineer")
    found = client.get("/cases/", {"like": library[1].pk}).context["found"]
    assert [case.pk for case, _s in found[:2]] in (
        [library[1].pk, library[10].pk], [library[10].pk, library[1].pk]
    )  # fmt: skip
    assert [similarity for _c, similarity in found] == sorted(
        (similarity for _c, similarity in found), reverse=True
    )
    by_image = client.get("/cases/", {"image": library[2].image.sha256, "verdict": "brand"})
    assert numbers(by_image) == [library[12].pk], "filters hold here too"
    unseen = ImageFactory()
    assert "no embedding yet" in text(client.get("/cases/", {"image": unseen.sha256}))
    assert client.get("/cases/", {"like": "9" * 30}).status_code == 200
    assert client.get("/cases/", {"like": 999_999}).status_code == 404


def test_labelers_read_active_cases_and_nothing_about_who_or_what_else(log_in, library):
    client, hidden = log_in("labeler"), library[5]
    GoldItem.objects.create(image=hidden.image, kind="brand", answer="none")
    seen = numbers(client.get("/cases/?state=retired"))
    assert library[3].pk not in seen and hidden.pk not in seen and len(seen) == 11
    for gone in (library[3], hidden):
        assert client.get(reverse("case", args=[gone.pk])).status_code == 404
        assert client.get(f"/api/cases/{gone.pk}/").status_code == 404
        assert client.get(f"/cases/?like={gone.pk}").status_code == 404
    page = text(client.get(reverse("case", args=[library[0].pk])))
    assert "Stripes like number 0" in page
    for secret in ("Approved by", "History", '"/images/', "Retire", "Merge", "contradiction"):
        assert secret not in page, secret
    page = text(client.get("/cases/"))
    for secret in ('"/images/', "Contradictions", "by-picture", "embedding"):
        assert secret not in page, secret
    probe = client.get("/cases/", {"image": hidden.image.sha256})
    assert len(numbers(probe)) == 11, "no search by an image that is not a case's"
    listed = {row["id"] for row in client.get("/api/cases/").json()["results"]}
    assert listed == set(seen)


def test_a_case_shows_its_region_guideline_history_and_neighbours(log_in, library):
    case = library[0]
    version = GuidelineVersion.objects.create(brand=case.brand, number=4)
    Case.objects.filter(pk=case.pk).update(guideline=version)
    client = log_in("operations")
    client.post(reverse("edit-case", args=[case.pk]), {"reason": "Worded better."})
    page = text(client.get(reverse("case", args=[case.pk])))
    for words in ("<rect x=\"1.0\"", "version 4", "reworded", "Worded better.", "operations",
                  "Stripes like number 0", f"/cases/{library[9].pk}/"):  # fmt: skip
        assert words in page, words


def test_pages_take_few_queries_however_many_cases(log_in, library, django_assert_max_num_queries):
    client = log_in("operations")
    for address in ("/cases/", "/cases/?q=条纹", f"/cases/?like={library[0].pk}",
                    f"/cases/{library[0].pk}/", "/cases/contradictions/"):  # fmt: skip
        with django_assert_max_num_queries(15, info=address):
            assert client.get(address).status_code == 200


def test_a_new_case_notes_the_guideline_in_force_and_can_take_an_old_ones_place(log_in, library):
    client, old = log_in("operations"), library[2]
    version = GuidelineVersion.objects.create(
        brand=old.brand, number=7, state="published", published_at=old.created_at
    )
    address = f"{reverse('case-new')}?image={old.image.sha256}&supersedes={old.pk}"
    assert "Stripes like number 2" in text(client.get(address))
    said = {"kind": "knock_off", "verdict": "brand", "brand": "north", "reason": " "}
    refused = client.post(address, said)
    assert "required" in text(refused) and Case.objects.count() == 13
    refused = client.post(
        address, said | {"reason": "kept text", "x1": 5, "y1": 5, "x2": 4, "y2": 9}
    )
    assert "kept text" in text(refused) and "does not lie" in text(refused)
    client.post(address, said | {"reason": "Clear now."})
    made = Case.objects.latest("pk")
    old.refresh_from_db()
    assert (made.guideline, made.approved_by.username, made.region) == (version, "operations", None)
    assert (old.state, old.replaced_by) == ("superseded", made)
    gone = client.post(address, said | {"reason": "Once more."})
    assert "not active any more" in text(gone) and Case.objects.count() == 14, "all or nothing"


def test_contradictions_stand_side_by_side_and_one_click_settles_them(log_in, library):
    client = log_in("operations")
    pair = CaseConflict.objects.get(first=library[0], second=library[12])
    page = text(client.get(reverse("contradictions")))
    assert page.count('class="panel contradiction"') == CaseConflict.objects.exclude(
        first=library[3]
    ).count()  # fmt: skip
    target = f"/cases/{pair.first_id}/supersede/?from=contradictions&amp;into={pair.second_id}"
    assert target in page
    answer = client.post(target.replace("&amp;", "&"))
    assert answer["Location"] == reverse("contradictions")
    pair.first.refresh_from_db()
    assert (pair.first.state, pair.first.replaced_by) == ("superseded", pair.second)
    again = client.post(target.replace("&amp;", "&"), follow=True)
    assert "not active any more" in text(again)
    other = CaseConflict.objects.exclude(first=library[0]).exclude(first=library[3]).first()
    client.post(reverse("both-stand", args=[other.pk]), {"why": "two marks"})
    other.refresh_from_db()
    assert other.why == "two marks"


def test_merging_by_number_refuses_what_does_not_exist(log_in, library):
    client = log_in("operations")
    address = reverse("merge-case", args=[library[0].pk])
    assert "no case of that number" in text(client.post(address, {"into": "99999"}, follow=True))
    client.post(address, {"into": f"#{library[1].pk}"})
    library[0].refresh_from_db()
    assert library[0].replaced_by == library[1]


def picture(fmt: str = "PNG") -> SimpleUploadedFile:
    out = io.BytesIO()
    Picture.new("RGB", (40, 30), "tan").save(out, fmt)
    return SimpleUploadedFile(f"p.{fmt.lower()}", out.getvalue())


def test_a_picture_sent_in_is_searched_with_once_it_has_been_looked_at(
    log_in, library, settings, tmp_path
):
    settings.DATA_DIR = tmp_path
    client = log_in("operations")
    assert "Choose a picture" in text(client.post(reverse("picture-search"), follow=True))
    svg = SimpleUploadedFile("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    refused = client.post(reverse("picture-search"), {"picture": svg}, follow=True)
    assert 'class="error"' in text(refused) and not EmbeddingRun.objects.exists()
    page = text(client.post(reverse("picture-search"), {"picture": picture()}, follow=True))
    assert "looking at the picture" in page and "load delay:" in page
    run = EmbeddingRun.objects.get()
    EmbeddingRun.objects.filter(pk=run.pk).update(
        state="succeeded", metrics={"vector": vectors.vector_of(direction(4, 20, 0.1))}
    )
    part = client.get(
        reverse("picture-search-result", args=[run.pk]),
        headers={"HX-Request": "true", "HX-Target": "found"},
    )
    assert "<html" not in text(part)
    assert part.context["found"][0][0] == library[4]
    assert ImageVector.objects.count() == 12, "the picture is not among the images"


def test_how_far_the_embeddings_are_is_shown_and_can_be_stopped(
    log_in, library, settings, tmp_path
):
    settings.DATA_DIR = tmp_path
    client, address = log_in("ml_engineer"), reverse("embedding-state")
    assert "progress" not in text(client.get(address))
    space = make_space(state="filling")
    vectors.store_vectors(space=space, embeddings={library[0].image_id: direction(1)})
    page = text(client.get(address))
    assert "8%" in page and "1 of 12 images" in page
    client.post(reverse("embedding-cancel"))
    assert ">Go on<" in text(client.get(address))
    client.post(reverse("embedding-resume"))
    assert ">Go on<" not in text(client.get(address))


def test_the_api_writes_for_operations_and_says_what_is_wrong(people, library):
    client = APIClient()
    client.force_authenticate(people["operations"])
    new = {"image": library[1].image.sha256, "kind": "smear", "verdict": "none", "reason": "涂抹"}
    made = client.post("/api/cases/", new, format="json")
    assert (made.status_code, made.json()["state"]) == (201, "active")
    assert client.post("/api/cases/", new | {"verdict": "brand"}, format="json").status_code == 400
    found = client.get("/api/cases/", {"q": "涂抹"}).json()
    assert [row["id"] for row in found["results"]] == [made.json()["id"]]
    like = client.get(f"/api/cases/{library[1].pk}/like/").json()
    assert {like[0]["id"], like[1]["id"]} == {made.json()["id"], library[10].pk}
    merged = client.post(
        f"/api/cases/{made.json()['id']}/merge/", {"into": library[1].pk}, format="json"
    )
    assert merged.json()["state"] == "merged"
    again = client.post(f"/api/cases/{made.json()['id']}/retire/", {"why": "x"}, format="json")
    assert again.status_code == 400
    client.force_authenticate(people["labeler"])
    assert client.post("/api/cases/", new, format="json").status_code == 403
