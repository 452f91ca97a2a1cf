"""The reviewers' pages: what a press of a button comes to, and what is shown."""

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation import tasks, vectors
from annotation.cases import create_case
from annotation.models import Flag, ImageCopy, Label, Qualification
from tests.annotation.review_rows import ALWAYS, make_flag, make_merchant, make_product
from tests.factories import BrandFactory, ImageFactory


@pytest.fixture
def told(monkeypatch) -> list[int]:
    """Images that a search for copies was asked for, once their verdict is committed."""
    ids: list[int] = []
    monkeypatch.setattr(tasks.find_copies, "delay_on_commit", ids.append)
    return ids


def judge(client, flag: Flag, **data):
    return client.post(reverse("review-verdict", args=[flag.pk]), data)


def test_the_worst_waits_first_and_a_verdict_brings_the_next(log_in, told):
    client = log_in("operations")
    mild, worst = make_flag(severity=0.4), make_flag(severity=0.9)
    shown = client.get(reverse("review"))
    assert shown.context["flag"] == worst
    assert "the merchant has no licence for the brand today" in shown.content.decode()
    answer = judge(client, worst, verdict="confirm", then=mild.pk, filters="risk=infringement")
    assert answer.url == f"{reverse('review')}?risk=infringement&flag={mild.pk}"
    worst.refresh_from_db()
    assert (worst.state, worst.verdict.risk) == ("confirmed", "infringement")
    assert told == [worst.image_id]
    assert client.get(reverse("review")).context["flag"] == mild


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("said", "state", "answer", "risk"),
    [
        ({"verdict": "none"}, "corrected", "none", ""),
        ({"verdict": "other"}, "corrected", "other", ""),
        ({"verdict": "no_risk"}, "corrected", "brand", ""),
        ({"verdict": "risk:smear"}, "confirmed", "brand", "smear"),
        ({"verdict": "brand", "brand": "acme"}, "corrected", "brand", "infringement"),
        ({"verdict": "brand", "brand": "acme", "risk": "knock_off"}, "corrected", "brand",
         "knock_off"),
    ],
)  # fmt: skip
def test_each_button_writes_its_verdict(log_in, said, state, answer, risk):
    BrandFactory(key="acme")
    flag = make_flag()
    judge(log_in("operations"), flag, **said)
    flag.refresh_from_db()
    assert (flag.state, flag.verdict.answer, flag.verdict.risk) == (state, answer, risk)


def test_unsure_goes_behind_and_asks_for_no_copies(log_in, told):
    client = log_in("operations")
    flag = make_flag()
    judge(client, flag, verdict="unsure")
    assert not told
    assert client.get(reverse("review")).context["flag"] is None
    assert client.get(reverse("review") + "?state=unsure").context["flag"] == flag


@pytest.mark.parametrize("said", [{}, {"verdict": "x"}, {"verdict": "brand", "brand": "nobody"},
                                  {"verdict": "risk:x"}])  # fmt: skip
def test_what_is_no_verdict_is_refused_with_one_message(log_in, told, said):
    client = log_in("operations")
    flag = make_flag()
    page = client.post(reverse("review-verdict", args=[flag.pk]), said, follow=True)
    assert 'class="error"' in page.content.decode()
    assert page.context["flag"] == flag
    assert not Label.objects.exists()


def test_the_last_verdict_is_taken_back_and_shown_again(log_in, told):
    client = log_in("operations")
    flag = make_flag()
    judge(client, flag, verdict="none")
    page = client.post(reverse("review-undo"), follow=True)
    assert page.context["flag"] == flag
    assert "1 verdict taken back" in page.content.decode()
    assert 'class="error"' in client.post(reverse("review-undo"), follow=True).content.decode()


def test_engineers_read_the_queue_and_do_not_judge(log_in):
    flag = make_flag()
    client = log_in("ml_engineer")
    page = client.get(reverse("review")).content.decode()
    assert 'name="verdict"' not in page
    assert judge(client, flag, verdict="confirm").status_code == 403
    assert log_in("labeler").get(reverse("review")).status_code == 403


def test_the_queue_is_narrowed_by_brand_merchant_risk_and_score(log_in):
    client = log_in("operations")
    shop = make_merchant(5)
    flag = make_flag(
        image=ImageFactory(product=make_product(shop)), risk="smear", score=0.95, severity=0.1
    )
    make_flag(severity=0.9)
    for query in (f"brand={flag.brand.key}", "merchant=m5", "merchant=Shop 5", "risk=smear",
                  "least=0.9"):  # fmt: skip
        shown = client.get(f"{reverse('review')}?{query}")
        assert shown.context["flags"] == [flag], query


def test_a_product_is_judged_and_its_copies_with_it(log_in, told):
    client = log_in("operations")
    flag, copy = make_flag(), make_flag(image=ImageFactory(product=make_product(make_merchant(4))))
    tested = ImageFactory(split="closed", product=make_product(make_merchant(6)))
    for other in (copy.image, tested):
        ImageCopy.objects.create(
            image=min(flag.image, other, key=lambda i: i.pk),
            other=max(flag.image, other, key=lambda i: i.pk),
            change="mirrored,cropped", similarity=0.9,
        )  # fmt: skip
    page = client.get(reverse("product", args=[flag.product_id])).content.decode()
    assert "Give the picture a verdict first" in page
    client.post(reverse("image-verdict", args=[flag.image_id]), {"verdict": "confirm"})
    page = client.get(reverse("product", args=[flag.product_id])).content.decode()
    assert "Same verdict for this 1 copy" in page
    assert "mirrored, cropped" in page
    assert "Shop 4" in page
    assert "test material" in page
    said = client.post(
        reverse("copies-verdict", args=[flag.image_id]),
        {"copy": [copy.image_id, tested.pk, "x"]}, follow=True,
    )  # fmt: skip
    assert "The same verdict for 1 copy." in said.content.decode()
    copy.refresh_from_db()
    assert copy.copied_from == flag.image
    assert not Label.objects.filter(image=tested).exists()


def test_copies_are_looked_for_on_demand_and_appear_in_their_part(log_in, told):
    client = log_in("operations")
    flag = make_flag()
    client.post(reverse("image-copies", args=[flag.image_id]))
    assert told == [flag.image_id]
    place = reverse("product", args=[flag.product_id])
    part = client.get(place, headers={"HX-Request": "true", "HX-Target": "copies"})
    assert "<html" not in part.content.decode()
    assert "load delay:" in part.content.decode()


def test_a_product_shows_price_licence_and_who_says_what(log_in):
    client = log_in("operations")
    brand = BrandFactory(name_en="Acme")
    shop = make_merchant(1, licensed_for=brand)
    for price in (300, 310, 320, 330, 340):
        ImageFactory(product=make_product(shop, price=price), weak_brand=brand, weak_answer="brand")
    image = ImageFactory(
        product=make_product(make_merchant(2), price=32), weak_brand=brand, weak_answer="brand"
    )
    make_flag(image=image, brand=brand)
    page = client.get(reverse("product", args=[image.product_id])).content.decode()
    assert "10% of the usual 320.00" in page
    assert "median of 5 licensed products" in page
    assert 'class="price"' in page
    assert "no licence" in page
    assert "product table" in page


def test_a_merchants_page_shows_licences_flags_and_copies_together(log_in):
    client = log_in("operations")
    flag = make_flag()
    shop = flag.product.merchant
    Qualification.objects.create(
        merchant=shop, brand=flag.brand, valid_from=ALWAYS, valid_to="2021-01-01"
    )
    other = ImageFactory(product=make_product(make_merchant(8)))
    ImageCopy.objects.create(image=flag.image, other=other, change="recoloured", similarity=0.8)
    page = client.get(reverse("merchant", args=[shop.pk])).content.decode()
    for words in ("2021-01-01", "expired", "recoloured", "Shop 8", str(flag.brand)):
        assert words in page, words


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_empty_pages_say_what_to_do_next(log_in, language):
    client = log_in("operations")
    client.cookies["touchstone_language"] = language
    for name in ("review", "products", "merchants"):
        assert 'class="empty"' in client.get(reverse(name)).content.decode(), name


def test_a_verdict_over_the_api(people):
    client = APIClient()
    flag = make_flag()
    place = f"/api/flags/{flag.pk}/verdict/"
    client.force_authenticate(people["ml_engineer"])
    assert client.post(place, {"answer": "none"}, format="json").status_code == 403
    assert client.get("/api/flags/").data["count"] == 1
    client.force_authenticate(people["operations"])
    wrong = {"answer": "none", "risk": "smear"}
    assert client.post(place, wrong, format="json").status_code == 400
    said = {"answer": "brand", "brand": flag.brand.key, "risk": "smear"}
    answer = client.post(place, said, format="json")
    assert (answer.status_code, answer.data["state"]) == (200, "confirmed")
    assert client.post(place, said, format="json").status_code == 400
    assert client.get("/api/flags/").data["count"] == 0
    assert client.get("/api/flags/?state=confirmed").data["count"] == 1
    assert client.get("/api/merchants/").data["results"][0]["confirmed"] == 1
    assert client.get("/api/products/?flags=confirmed").data["count"] == 1


def test_products_sort_by_their_worst_flag_and_those_without_come_last(log_in):
    plain = make_product(make_merchant())
    mild, worst = make_flag(severity=0.4), make_flag(severity=0.9)
    rows = log_in("operations").get(reverse("products") + "?sort=-severity").context["rows"]
    assert [product for product, _image in rows] == [worst.product, mild.product, plain]


@pytest.mark.usefixtures("small_demo")
def test_no_reviewers_page_takes_many_queries(log_in, django_assert_max_num_queries):
    client = log_in("operations")
    product = Flag.objects.filter(copied_from__isnull=False)[0].copied_from.product
    for address in (
        reverse("review"), reverse("products"), reverse("merchants"),
        reverse("product", args=[product.pk]), reverse("merchant", args=[product.merchant_id]),
    ):  # fmt: skip
        with django_assert_max_num_queries(15, info=address):
            assert client.get(address).status_code == 200


def test_the_nearest_cases_come_after_the_picture(log_in):
    client = log_in("operations")
    flag = make_flag()
    place = reverse("review-cases", args=[flag.pk])
    assert f'hx-get="{place}"' in client.get(reverse("review")).content.decode()
    case = create_case(
        image=ImageFactory(), kind="knock_off", verdict="brand", brand=flag.brand,
        reason="the eye is doubled", region=None, guideline=None, by=None,
    )  # fmt: skip
    space = vectors.open_space(model="m")
    vectors.store_vectors(
        space=space, embeddings={flag.image_id: [1, 0.1], case.image_id: [1, 0.2]}
    )
    vectors.serve_space(space=space)
    assert "the eye is doubled" in client.get(place).content.decode()
