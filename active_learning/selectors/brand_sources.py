"""Where a brand's training images come from, beside what is online, and of which of its key styles
there are too few."""

from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.db.models import CharField, Count, Exists, OuterRef, Q, QuerySet, Value

from annotation.keywords import phrases, plain, searches
from annotation.models import Brand, Consensus, Feature, GuidelineVersion, Image, Task

NEWEST = 20_000  # images of the pool, and of the open set, that stand for what is online
SOURCES, CATEGORIES = 30, 12  # shown
TITLES = 5_000  # newest training images of the brand whose titles are read
KEY_KINDS = (Feature.Kind.STYLE, Feature.Kind.PATTERN, Feature.Kind.DESIGN)


@dataclass(frozen=True)
class Share:
    """Images of the brand under one name, and shares of the brand's, of the newest of the pool, and
    of the newest of the open set; None where that is empty."""

    name: str
    images: int
    of_brand: float | None
    of_pool: float | None
    of_open: float | None


@dataclass(frozen=True)
class Mix:
    """`images` train the brand; `pool` and `opened` were compared with."""

    images: int
    pool: int
    opened: int
    sources: list[Share]
    categories: list[Share]


@dataclass(frozen=True)
class KeyStyle:
    """A style, pattern or design of the guideline. `images` of the brand have its words in their
    title; `wanted` is how many there should be."""

    feature: Feature
    images: int
    examples: int
    wanted: int
    searches: list[str]

    @property
    def is_short(self) -> bool:
        return self.images < self.wanted


def training_images(brand: Brand) -> QuerySet[Image]:
    """What trains as this brand: by a trusted answer, or by the source's word where nobody
    answered."""
    answers = Consensus.objects.filter(image=OuterRef("pk"), kind=Task.Kind.BRAND)
    said = Exists(answers.filter(trusted=True, brand=brand))
    weak = Q(weak_brand=brand) & ~Exists(answers)
    return Image.objects.filter(said | weak, split__in=[Image.Split.TRAIN, Image.Split.VAL])


def brand_mix(brand: Brand) -> Mix:
    """One query, whatever the size."""
    parts = {
        "own": training_images(brand),
        "pool": _newest(Image.Split.POOL),
        "open": _newest(Image.Split.OPEN),
    }
    counts: dict[str, Counter[tuple[str, str]]] = {part: Counter() for part in parts}
    first, *others = (_counted(part, images) for part, images in parts.items())
    for part, source, category, n in first.union(*others, all=True):
        counts[part][source, category or ""] = n
    return Mix(
        images=counts["own"].total(),
        pool=counts["pool"].total(),
        opened=counts["open"].total(),
        sources=_shares(*(_by(found, 0) for found in counts.values()))[:SOURCES],
        categories=_shares(*(_by(found, 1) for found in counts.values()))[:CATEGORIES],
    )


def _newest(split: str) -> QuerySet[Image]:
    newest = Image.objects.filter(split=split).order_by("-pk").values("pk")[:NEWEST]
    return Image.objects.filter(pk__in=newest)


def _counted(part: str, images: QuerySet[Image]) -> QuerySet[Image, tuple[str, str, str, int]]:
    """(part, source, category, images)."""
    name = Value(part, output_field=CharField())
    return (
        images.order_by()
        .annotate(part=name)
        .values("part", "source", "product__category")
        .annotate(n=Count("pk"))
        .values_list("part", "source", "product__category", "n")
    )


def _by(counts: Counter[tuple[str, str]], place: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for key, n in counts.items():
        found[key[place]] += n
    return found


def _shares(own: Counter[str], pool: Counter[str], opened: Counter[str]) -> list[Share]:
    """Most of the brand first, then most online."""
    totals = [counts.total() for counts in (own, pool, opened)]

    def share(counts: Counter[str], total: int, name: str) -> float | None:
        return counts[name] / total if total else None

    found = [
        Share(
            name,
            own[name],
            share(own, totals[0], name),
            share(pool, totals[1], name),
            share(opened, totals[2], name),
        )
        for name in sorted({*own, *pool, *opened})
    ]
    return sorted(found, key=lambda s: (-s.images, -(s.of_pool or 0) - (s.of_open or 0)))


def key_styles(brand: Brand, guideline: GuidelineVersion | None) -> list[KeyStyle]:
    """Of a guideline read with its features and examples; those with fewest images first. A title
    has a style's words or it does not: images without a title count for none."""
    features = [f for f in (guideline.features.all() if guideline else ()) if f.kind in KEY_KINDS]
    if not features:
        return []
    newest = training_images(brand).exclude(product=None).order_by("-pk")
    titles = [plain(title) for title in newest.values_list("product__title", flat=True)[:TITLES]]
    styles = []
    for feature in features:
        words = phrases(feature.text)
        images = sum(any(phrase.is_in(title) for phrase in words) for title in titles)
        styles.append(
            KeyStyle(
                feature=feature,
                images=images,
                examples=len(feature.examples.all()),
                wanted=settings.KEY_STYLE_IMAGES,
                searches=searches(brand, words),
            )
        )
    return sorted(styles, key=lambda style: style.images)
