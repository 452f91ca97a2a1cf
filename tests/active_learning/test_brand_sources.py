"""Where a brand's images come from beside what is online, and which of its styles want more."""

import pytest

from active_learning.selectors.brand_sources import brand_mix, key_styles
from annotation import selectors as annotation
from annotation.labels import Content, record_label
from annotation.models import Feature, GuidelineVersion, Product
from tests.factories import BrandFactory, ImageFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db):
    return BrandFactory(key="acme", name_en="Acme", name_zh="橡果", aliases=["ACM"])


def product(title: str = "", category: str = "") -> Product:
    number = str(Product.objects.count())
    return Product.objects.create(source="x", external_id=number, title=title, category=category)


def test_the_mix_of_a_brand_stands_beside_what_is_online(acme):
    shoes, bags = product(category="shoes"), product(category="bags")
    own = {"weak_answer": "brand", "weak_brand": acme, "split": "train"}
    for _ in range(3):
        ImageFactory(source="flagship", product=shoes, **own)
    said = ImageFactory(source="reviews", split="train")
    for image, answer in ((said, "brand"), (ImageFactory(source="flagship", **own), "none")):
        content = Content(answer=answer, brand=acme if answer == "brand" else None)
        record_label(image=image, kind="brand", content=content, source="import")
    ImageFactory(source="flagship", split="closed", weak_answer="brand", weak_brand=acme)
    for split, source, item in (
        ("pool", "shop", shoes), ("pool", "shop", bags), ("open", "online", bags),
    ):  # fmt: skip
        ImageFactory(split=split, source=source, product=item)
    mix = brand_mix(acme)
    assert (mix.images, mix.pool, mix.opened) == (4, 2, 1)
    assert [(s.name, s.images, s.of_brand, s.of_pool, s.of_open) for s in mix.sources] == [
        ("flagship", 3, 0.75, 0, 0), ("reviews", 1, 0.25, 0, 0),
        ("online", 0, 0, 0, 1), ("shop", 0, 0, 1, 0),
    ]  # fmt: skip
    categories = {share.name: share for share in mix.categories}
    assert (categories["shoes"].of_brand, categories["shoes"].of_pool) == (0.75, 0.5)
    assert categories[""].images == 1  # of which the category is not known


def test_nothing_known_is_told_from_none(acme):
    mix = brand_mix(acme)
    assert (mix.images, mix.sources) == (0, [])
    ImageFactory(split="pool", source="shop")
    (share,) = brand_mix(acme).sources
    assert (share.of_brand, share.of_pool, share.of_open) == (None, 1, None)


def guideline(brand, *texts: tuple[str, str]) -> GuidelineVersion:
    version = GuidelineVersion.objects.create(brand=brand, number=1)
    for position, (kind, text) in enumerate(texts):
        Feature.objects.create(version=version, kind=kind, text=text, position=position)
    GuidelineVersion.objects.filter(pk=version.pk).update(
        state="published", published_at="2026-01-01T00:00Z"
    )
    found = annotation.guideline(brand=brand)
    assert found
    return found


def test_styles_with_too_few_images_come_with_searches_in_both_languages(acme, settings):
    settings.KEY_STYLE_IMAGES = 2
    version = guideline(
        acme,
        ("pattern", "Slanted stripes on the side, 斜条纹"),
        ("style", "A toothed hem"),
        ("logo", "The acorn"),
    )
    for title in ("橡果 斜条纹 跑步鞋", "SLANTED grey stripes, side view", "plain shoe", ""):
        ImageFactory(split="train", weak_answer="brand", weak_brand=acme, product=product(title))
    hem, stripes = key_styles(acme, version)
    assert (hem.feature.kind, hem.images, hem.is_short) == ("style", 0, True)
    assert hem.searches == ["Acme toothed hem", "ACM toothed hem"]
    assert (stripes.images, stripes.is_short) == (2, False)
    assert "橡果 斜条纹" in stripes.searches
    assert "Acme slanted stripes side" in stripes.searches


def test_a_brand_without_a_guideline_has_no_key_styles(acme):
    assert key_styles(acme, None) == []
