"""Usual prices: whose products speak, and when nothing is said."""

from datetime import date

import pytest

from annotation.prices import prices_of, usual_of, usual_prices
from ml.risks import is_absurd
from tests.annotation.review_rows import make_merchant, make_product
from tests.factories import BrandFactory, ImageFactory

TODAY = date(2026, 6, 30)


def sell(brand, merchant, *prices, category="shoe", **image):
    for price in prices:
        product = make_product(merchant, price=price, category=category)
        ImageFactory(product=product, weak_brand=brand, weak_answer="brand", **image)


@pytest.mark.django_db
def test_licensed_sellers_say_what_is_usual():
    brand = BrandFactory()
    sell(brand, make_merchant(1, licensed_for=brand), 300, 310, 320, 330, 340)
    sell(brand, make_merchant(2), *[10] * 20)
    usual = usual_prices(on=TODAY)[brand.pk, "shoe"]
    assert (usual.price, usual.products, usual.licensed) == (320, 5, True)
    assert usual_of(prices_of(brand=brand, category="shoe", on=TODAY)) == usual
    assert is_absurd(usual.ratio(25))
    assert not is_absurd(usual.ratio(200))
    assert usual.ratio(None) is None


@pytest.mark.django_db
def test_with_few_licensed_products_all_of_them_speak_and_with_too_few_none():
    brand = BrandFactory()
    sell(brand, make_merchant(1, licensed_for=brand), 300)
    sell(brand, make_merchant(2), 100, 100, 100)
    assert usual_prices(on=TODAY) == {}
    sell(brand, make_merchant(2), 120)
    usual = usual_prices(on=TODAY)[brand.pk, "shoe"]
    assert (usual.price, usual.products, usual.licensed) == (100, 5, False)


@pytest.mark.django_db
def test_a_licence_that_has_run_out_does_not_speak():
    brand = BrandFactory()
    merchant = make_merchant(1, licensed_for=brand)
    merchant.qualifications.update(valid_to=date(2026, 6, 29))
    sell(brand, merchant, 300, 310, 320, 330, 340)
    assert not usual_prices(on=TODAY)[brand.pk, "shoe"].licensed
    assert usual_prices(on=date(2026, 6, 29))[brand.pk, "shoe"].licensed


@pytest.mark.django_db
def test_categories_and_brands_are_kept_apart_and_a_product_of_two_pictures_counts_once():
    brand, other = BrandFactory(), BrandFactory()
    sell(brand, make_merchant(), 10, 20, 30, 40, 50)
    sell(brand, make_merchant(), 900, category="watch")
    sell(other, make_merchant(), 700)
    product = make_product(make_merchant(), price=60)
    for _ in range(9):
        ImageFactory(product=product, weak_brand=brand, weak_answer="brand")
    assert usual_prices(on=TODAY).keys() == {(brand.pk, "shoe")}
    assert usual_prices(on=TODAY)[brand.pk, "shoe"].price == 35
