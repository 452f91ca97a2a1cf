"""The reviewers' side of `tests.demo_rows`: merchants, licences, flags, verdicts, copies."""

import random
from datetime import date, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from annotation import copies, review
from annotation.models import (
    Brand,
    Flag,
    Image,
    ImageCopy,
    Merchant,
    Product,
    Qualification,
)
from annotation.review import Verdict

RISKS = ("counterfeit", "infringement", "infringement", "smear", "knock_off")


def make_flagged(rng: random.Random, images: list[Image], brands: list[Brand], by: User) -> None:
    """Of images of the pool without a task: flags, some of them decided, one with copies."""
    shops = Merchant.objects.bulk_create(
        Merchant(external_id=f"m{i:03}", name=f"优选店 Select Trading {i:03}") for i in range(12)
    )
    today = timezone.localdate()
    ends = (None, today + timedelta(days=9), today - timedelta(days=40), date(2099, 1, 1))
    Qualification.objects.bulk_create(
        Qualification(
            merchant=shop, brand=brands[i % 3], valid_from=date(2020, 1, 1), valid_to=ends[i % 4]
        )
        for i, shop in enumerate(shops)
    )
    products = [image.product for image in images if image.product]
    for i, product in enumerate(products):
        product.merchant, product.category = shops[i % len(shops)], "shoe"
        product.price = round(rng.lognormvariate(5.5, 0.4), 2)
    Product.objects.bulk_update(products, ["merchant", "category", "price"], batch_size=500)
    flags = Flag.objects.bulk_create(
        [_flag(rng, image, brands[i % 4]) for i, image in enumerate(images[:60])]
    )
    first = flags[0]
    ImageCopy.objects.bulk_create(
        ImageCopy(image=min(pair, key=_pk), other=max(pair, key=_pk), change=change, similarity=s)
        for pair, change, s in (
            ((first.image, flags[7].image), "mirrored,recoloured", 0.93),
            ((first.image, flags[8].image), "cropped,bordered", 0.81),
        )
    )
    for i, flag in enumerate(flags[:6]):
        said = Verdict("brand", flag.brand, flag.risk) if i % 3 < 2 else Verdict("none")
        review.decide(flag=flag, verdict=said, by=by)
    copies.same_verdict(image=first.image, copy_ids=[flags[7].image_id], by=by)


def _pk(image: Image) -> int:
    return image.pk


def _flag(rng: random.Random, image: Image, brand: Brand) -> Flag:
    score, ratio = rng.uniform(0.6, 1), rng.uniform(0.05, 1.2)
    x, y = image.width // 4, image.height // 3
    box = {"x1": x, "y1": y, "x2": 2 * x, "y2": 2 * y, "brand": brand.key, "score": 0.7}
    price = float(image.product.price) if image.product else 0.0
    return Flag(
        image=image, product=image.product, brand=brand, score=score, risk=rng.choice(RISKS),
        severity=score * rng.uniform(0.7, 1.1), release="release 2",
        evidence={
            "scores": {"classifier": round(score, 4), "detector": 0.7}, "boxes": [box],
            "licensed": False, "price": price, "usual_price": round(price / ratio, 2),
            "price_ratio": round(ratio, 4), "why": ["no_licence", "mark_seen"],
        },
    )  # fmt: skip
