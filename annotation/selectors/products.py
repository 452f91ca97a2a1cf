"""Merchants, their licences, and products, for pages and API."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.utils import timezone

from annotation.models import (
    Brand,
    Consensus,
    Flag,
    Image,
    ImageCopy,
    Label,
    Merchant,
    MissedRisk,
    Product,
    Qualification,
)
from annotation.models.task import Task

SOON = timedelta(days=30)  # a licence that ends within it is shown so
OPEN = Q(flags__state=Flag.State.OPEN)


@dataclass(frozen=True)
class Licence:
    """A qualification and how it stands today: valid | ending | expired | coming."""

    qualification: Qualification
    state: str


def valid_on(day: date) -> Q:
    """Licences in force on a day; the last day counts."""
    return Q(valid_from__lte=day) & (Q(valid_to__isnull=True) | Q(valid_to__gte=day))


def licensed_pairs(*, on: date) -> frozenset[tuple[int, int]]:
    """(merchant id, brand id) of every licence in force on a day."""
    pairs = Qualification.objects.filter(valid_on(on))
    return frozenset(pairs.values_list("merchant_id", "brand_id"))


def standing(qualification: Qualification, on: date) -> str:
    """How a licence stands on a day, as `Licence.state`."""
    if qualification.valid_from > on:
        return "coming"
    ends = qualification.valid_to
    if ends is None or ends > on + SOON:
        return "valid"
    return "ending" if ends >= on else "expired"


def licences(*, merchant: Merchant | None, brands: Collection[Brand] = ()) -> list[Licence]:
    """A merchant's licences, those of some brands alone if named, by brand and newest first."""
    if merchant is None:
        return []
    found = merchant.qualifications.select_related("brand").order_by("brand__key", "-valid_from")
    if brands:
        found = found.filter(brand__in=brands)
    today = timezone.localdate()
    return [Licence(qualification, standing(qualification, today)) for qualification in found]


def _of_product(states: Collection[str], value: str) -> Subquery:
    flags = Flag.objects.filter(product=OuterRef("pk"), state__in=states)
    return Subquery(flags.order_by("-severity").values(value)[:1])


def products() -> QuerySet[Product]:
    """Products with merchant and of their flags: `open_flags`, `worst` (severity of the worst
    open one) and whether a risk is `confirmed`."""
    decided = Flag.objects.filter(product=OuterRef("pk"), state=Flag.State.CONFIRMED)
    return Product.objects.select_related("merchant").annotate(
        worst=_of_product([Flag.State.OPEN], "severity"),
        open_flags=Count("flags", filter=OPEN),
        confirmed=Exists(decided),
    )


def products_of(*, merchant: Merchant) -> QuerySet[Product]:
    """A merchant's products, those with most open flags first."""
    return products().filter(merchant=merchant).order_by(F("open_flags").desc(), "pk")


def first_pictures(*, product_ids: Collection[int]) -> dict[int, Image]:
    """One picture a product, by its id: the one flagged worst, else the first."""
    images = Image.objects.filter(product__in=product_ids).annotate(
        worst=Subquery(
            Flag.objects.filter(image=OuterRef("pk")).order_by("-severity").values("severity")[:1]
        )
    )
    ranked = images.order_by("product_id", F("worst").desc(nulls_last=True), "pk")
    return {image.product_id: image for image in ranked.distinct("product_id") if image.product_id}


def product_images(*, product: Product) -> QuerySet[Image]:
    """A product's pictures with flags, verdicts and what people decided of them."""
    return product.images.select_related("product", "weak_brand").prefetch_related(
        Prefetch("consensus", Consensus.objects.select_related("brand").order_by("kind")),
        Prefetch(
            "flags",
            Flag.objects.select_related("brand", "verdict__brand", "decided_by", "copied_from"),
        ),
    )


def image_labels(*, images: Collection[Image]) -> QuerySet[Label]:
    """What was said of the brand in these pictures and is in force, newest first."""
    return Label.objects.filter(
        image__in=images, kind=Task.Kind.BRAND, superseded_by__isnull=True, retracted=False
    ).select_related("brand", "by", "image")


def merchants() -> QuerySet[Merchant]:
    """Merchants with counts: `goods`, `licensed_brands` (today), `open_flags`, `confirmed`."""
    today = timezone.localdate()
    own = {"product__merchant": OuterRef("pk")}

    def of(queryset: QuerySet, key: str, what: str = "pk") -> Subquery:
        rows = queryset.order_by().values(key).annotate(n=Count(what, distinct=True)).values("n")
        return Subquery(rows)

    flags = Flag.objects.filter(**own)
    held = Qualification.objects.filter(valid_on(today), merchant=OuterRef("pk"))
    return Merchant.objects.annotate(
        goods=of(Product.objects.filter(merchant=OuterRef("pk")), "merchant"),
        licensed_brands=of(held, "merchant", "brand"),
        open_flags=of(flags.filter(state=Flag.State.OPEN), "product__merchant"),
        confirmed=of(flags.filter(state=Flag.State.CONFIRMED), "product__merchant"),
    )


def merchant_flags(*, merchant: Merchant) -> QuerySet[Flag]:
    return Flag.objects.filter(product__merchant=merchant).select_related(
        "image__product", "brand", "verdict__brand", "decided_by"
    )


def merchant_copies(*, merchant: Merchant) -> QuerySet[ImageCopy]:
    """Copies of which at least one picture is the merchant's."""
    # Two sets to look into, not an "or" over two joins: that one visits every pair of images.
    theirs = Image.objects.filter(product__merchant=merchant).values("pk")
    return ImageCopy.objects.filter(Q(image__in=theirs) | Q(other__in=theirs)).select_related(
        "image__product__merchant", "other__product__merchant"
    )


def merchant_missed(*, merchant: Merchant) -> QuerySet[MissedRisk]:
    return MissedRisk.objects.filter(image__product__merchant=merchant).select_related(
        "brand", "image__product"
    )
