"""Flags, merchants and products that a test does not care about in detail."""

from datetime import date
from typing import Any

from annotation.models import Brand, Flag, Image, Merchant, Product, Qualification
from tests.factories import BrandFactory, ImageFactory

ALWAYS = date(2020, 1, 1)


def make_merchant(number: int = 1, *, licensed_for: Brand | None = None) -> Merchant:
    merchant, _ = Merchant.objects.get_or_create(external_id=f"m{number}", name=f"Shop {number}")
    if licensed_for is not None:
        Qualification.objects.create(merchant=merchant, brand=licensed_for, valid_from=ALWAYS)
    return merchant


def make_product(merchant: Merchant | None = None, **values: Any) -> Product:
    number = Product.objects.count()
    values = {"title": f"Shoe {number} 鞋", "category": "shoe", "price": 100} | values
    return Product.objects.create(
        source="test", external_id=f"p{number}", merchant=merchant, **values
    )


def make_flag(
    *, image: Image | None = None, brand: Brand | None = None, severity: float = 0.5, **values: Any
) -> Flag:
    """An open flag of release 1 on an image of the pool with a product of an unlicensed shop."""
    if image is None:
        image = ImageFactory(product=make_product(make_merchant()))
    values = {
        "risk": "infringement",
        "score": 0.8,
        "release": "release 1",
        "evidence": {
            "scores": {"classifier": 0.8},
            "boxes": [],
            "licensed": False,
            "price": 100.0,
            "usual_price": 400.0,
            "price_ratio": 0.25,
            "why": ["no_licence", "look_only"],
        },
    } | values
    return Flag.objects.create(
        image=image, product=image.product, brand=brand or BrandFactory(), severity=severity,
        **values,
    )  # fmt: skip
