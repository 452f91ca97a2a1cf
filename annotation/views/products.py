"""Products and merchants: what is for sale, by whom, with which licence, and what was found."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from annotation import copies, prices
from annotation.access import STAFF, PageRequest, roles_allowed
from annotation.listing import listing
from annotation.live import live
from annotation.models import Brand, Flag, Image, Label, Merchant, Product
from annotation.models.label import Risk
from annotation.review_filters import FlagFilter, MerchantFilter, ProductFilter
from annotation.selectors import products as selectors
from annotation.selectors import review as review_selectors
from annotation.views.review import may_judge
from ml.risks import is_absurd

PER_PAGE = 40
BARS = 16
COPIES = 48  # of a merchant, on its page
GOODS = 24


@dataclass(frozen=True)
class Seen:
    """A brand in connection with a product, and who says so."""

    brand: Brand
    flags: list[Flag]
    decided: int
    labels: int
    by_source: bool
    licences: list[selectors.Licence]

    @property
    def is_licensed(self) -> bool:
        return any(licence.state in ("valid", "ending") for licence in self.licences)


@dataclass(frozen=True)
class Shown:
    """A picture of the product with what is known of it."""

    image: Image
    flag: Flag | None
    boxes: list[dict]
    verdict: Label | None
    copies: list[review_selectors.CopyRow]
    searched: dict | None

    @property
    def open_copies(self) -> list[review_selectors.CopyRow]:
        return [row for row in self.copies if not row.refused]


@dataclass(frozen=True)
class Bar:
    """One of a price distribution, in the units of its 160 x 40 picture."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class PricePicture:
    """A price among those of its brand and category; `mark` and `middle` are places on the x
    axis of this price and of the usual one."""

    usual: prices.Usual
    ratio: float | None
    absurd: bool
    bars: list[Bar]
    mark: float | None
    middle: float
    low: float
    high: float


@require_safe
@roles_allowed(*STAFF)
def products(request: PageRequest) -> HttpResponse:
    page = listing(
        request,
        queryset=selectors.products().order_by("pk"),
        filters=ProductFilter,
        per_page=PER_PAGE,
    )
    rows = list(page.page)
    pictures = selectors.first_pictures(product_ids=[product.pk for product in rows])
    context = {"listing": page, "rows": [(product, pictures.get(product.pk)) for product in rows]}
    return render(request, "products/list.html", context)


@require_safe
@roles_allowed(*STAFF)
def product(request: PageRequest, pk: int) -> HttpResponse:
    """Whether a product is a risk: all evidence, to be confirmed or corrected."""
    shown = get_object_or_404(Product.objects.select_related("merchant"), pk=pk)
    images = list(selectors.product_images(product=shown))
    pictures = _pictures(images)
    part = {
        "product": shown,
        "pictures": pictures,
        "may_judge": may_judge(request),
        "live": live(request, shown=[len(p.copies) for p in pictures]),
    }
    if request.htmx.target == "copies":
        return render(request, "products/_copies.html", part)
    labels = list(selectors.image_labels(images=images))
    seen = _brands_seen(shown, images, labels)
    worst = _worst(images)
    context = part | {
        "seen": seen,
        "labels": labels,
        "price": _price_picture(shown, seen[0].brand) if seen else None,
        "worst": worst,
        "reasons": review_selectors.reasons(worst) if worst else [],
        "risks": Risk.choices,
        "brands": Brand.objects.exclude(state=Brand.State.RETIRED).order_by("name_en"),
    }
    return render(request, "products/detail.html", context)


def _pictures(images: list[Image]) -> list[Shown]:
    verdicts = review_selectors.verdicts_on(image_ids=[image.pk for image in images])
    rows = review_selectors.copy_rows(images=images)
    searched = copies.searched(images=images)
    found = []
    for image in images:
        flags = [f for f in image.flags.all() if f.state != Flag.State.WITHDRAWN and f.release]
        flag = next((f for f in flags if f.state == Flag.State.OPEN), flags[0] if flags else None)
        found.append(
            Shown(
                image=image,
                flag=flag,
                boxes=flag.evidence.get("boxes", []) if flag else [],
                verdict=verdicts.get(image.pk),
                copies=rows.get(image.pk, []),
                searched=searched.get(image.pk),
            )
        )
    return sorted(found, key=lambda shown: -(shown.flag.severity if shown.flag else -1))


def _worst(images: list[Image]) -> Flag | None:
    flags = [f for image in images for f in image.flags.all() if f.state == Flag.State.OPEN]
    return max(flags, key=lambda flag: flag.severity, default=None)


def _brands_seen(shown: Product, images: list[Image], labels: list[Label]) -> list[Seen]:
    """Every brand somebody names: flags first, by their severity."""
    flags: dict[Brand, list[Flag]] = {}
    decided: dict[Brand, int] = {}
    told: dict[Brand, int] = {}
    by_source = {image.weak_brand for image in images if image.weak_brand}
    for image in images:
        for flag in image.flags.all():
            if flag.state != Flag.State.WITHDRAWN and flag.release:
                flags.setdefault(flag.brand, []).append(flag)
        for row in image.consensus.all():
            if row.kind == "brand" and row.trusted and row.brand:
                decided[row.brand] = decided.get(row.brand, 0) + 1
    for label in labels:
        if label.brand:
            told[label.brand] = told.get(label.brand, 0) + 1
    named = {*flags, *decided, *told, *by_source}
    held = selectors.licences(merchant=shown.merchant, brands=named) if named else []
    rows = [
        Seen(
            brand=brand,
            flags=flags.get(brand, []),
            decided=decided.get(brand, 0),
            labels=told.get(brand, 0),
            by_source=brand in by_source,
            licences=[one for one in held if one.qualification.brand_id == brand.pk],
        )
        for brand in named
    ]
    worst = {row.brand: max((flag.severity for flag in row.flags), default=0.0) for row in rows}
    return sorted(rows, key=lambda row: (-worst[row.brand], -row.decided, row.brand.key))


def _price_picture(shown: Product, brand: Brand) -> PricePicture | None:
    """None where the brand has too few prices in the category."""
    known = prices.prices_of(brand=brand, category=shown.category, on=timezone.localdate())
    usual = prices.usual_of(known)
    if usual is None:
        return None
    own = float(shown.price) if shown.price else None
    values = [price for price, _licensed in known]
    low, high = 0.0, max(*values, own or 0.0, usual.price) or 1.0
    counts = [0] * BARS
    for value in values:
        counts[min(BARS - 1, int(BARS * value / high))] += 1
    step = 160 / BARS
    bars = [
        Bar(i * step, 40 - 38 * n / max(counts), step - 1, 38 * n / max(counts))
        for i, n in enumerate(counts)
        if n
    ]
    ratio = usual.ratio(own)
    return PricePicture(
        usual=usual,
        ratio=ratio,
        absurd=is_absurd(ratio),
        bars=bars,
        mark=None if own is None else 160 * own / high,
        middle=160 * usual.price / high,
        low=low,
        high=high,
    )


@require_safe
@roles_allowed(*STAFF)
def merchants(request: PageRequest) -> HttpResponse:
    page = listing(
        request,
        queryset=selectors.merchants().order_by("external_id"),
        filters=MerchantFilter,
        per_page=PER_PAGE,
    )
    return render(request, "merchants/list.html", {"listing": page, "rows": list(page.page)})


@require_safe
@roles_allowed(*STAFF)
def merchant(request: PageRequest, pk: int) -> HttpResponse:
    """A merchant's licences, goods, flags and copies together."""
    shown = get_object_or_404(selectors.merchants(), pk=pk)
    page = listing(request, queryset=_flags_of(shown), filters=FlagFilter, per_page=PER_PAGE)
    goods = list(selectors.products_of(merchant=shown)[:GOODS])
    pictures = selectors.first_pictures(product_ids=[product.pk for product in goods])
    context = {
        "merchant": shown,
        "licences": selectors.licences(merchant=shown),
        "listing": page,
        "flags": list(page.page),
        "goods": [(product, pictures.get(product.pk)) for product in goods],
        "copies": list(selectors.merchant_copies(merchant=shown)[:COPIES]),
        "missed": list(selectors.merchant_missed(merchant=shown)[:COPIES]),
    }
    return render(request, "merchants/detail.html", context)


def _flags_of(shown: Merchant) -> QuerySet[Flag]:
    return selectors.merchant_flags(merchant=shown)
