"""Disguised names in titles: what is undone, what is found, and what is left alone."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from ml.models.text.features import featurise, ngrams
from ml.models.text.search import INSIDE, SOUNDED, SPACED, SPELT, VERBATIM, WAYS, AliasSearch
from ml.models.text.spelling import fold, plain, readings, sound
from ml.synth.brands import make_brands
from ml.synth.disguise import disguise

BRANDS = [["Volan", "沃兰", "VOLA", "沃兰官方"], ["Selfen", "赛芬", "SELF"], ["Kemi", "科米"]]
SEARCH = AliasSearch(BRANDS)


def ways(title: str, brand: int = 0) -> set[str]:
    hits = SEARCH.hits(title, fold(title))
    return {WAYS[hit.way] for hit in hits if SEARCH.names[hit.name].brand == brand}


def surest(title: str, brand: int = 0) -> int | None:
    hits = SEARCH.hits(title, fold(title))
    return min((hit.way for hit in hits if SEARCH.names[hit.name].brand == brand), default=None)


@pytest.mark.parametrize(
    ("title", "way"),
    [
        ("Volan Classic Bag", VERBATIM),
        ("经典VOLAN手提包", VERBATIM),
        ("新款沃兰手提包", VERBATIM),
        ("Volan2026 Bag", VERBATIM),
        ("V0l@n Bag", SPELT),  # leetspeak
        ("Vоlаn Bag", SPELT),  # Cyrillic о and а
        ("Ｖｏｌａｎ包", SPELT),  # full width
        ("Vòlán Bag", SPELT),  # accents
        ("νσlαn Bag", SPELT),  # Greek
        ("V.o.l.a.n Bag", SPACED),
        ("Vo lan Bag", SPACED),
        ("Vo\u200blan Bag", SPACED),
        ("新款沃*兰手提包", SPACED),
        ("沃♥兰手提包", SPACED),
        ("V.0.l.@.n Bag", SPACED),
        ("wolan手提包", SOUNDED),
        ("Wo Lan Bag", SOUNDED),
        ("新款沃lan手提包", SOUNDED),
        ("握蓝手提包", SOUNDED),  # homophones
        ("沃蘭手提包", SOUNDED),  # traditional
    ],
)
def test_a_disguised_name_is_found(title, way):
    assert surest(title) == way


@pytest.mark.parametrize(
    ("title", "brand"),
    [
        ("Evo Lancer Volante Bag", 0),
        ("Selfish Gift", 1),
        ("新款可爱米色马克杯", 2),
        ("Alchemist Mug", 2),
    ],
)
def test_within_ordinary_words_a_name_is_at_most_a_hint(title, brand):
    assert surest(title, brand) in (None, INSIDE)


@pytest.mark.parametrize("title", ["", "!!!", "\n", "女士经典双肩包", "Summer Cotton T-Shirt 2026"])
def test_nothing_is_found_in_a_title_without_a_name(title):
    assert SEARCH.hits(title, fold(title)) == []


def test_a_name_too_short_is_only_believed_as_it_is():
    search = AliasSearch([["LV"], ["兰"]])
    found = [search.hits(t, fold(t)) for t in ("LV Bag", "L V Bag", "Elvis", "1v", "蓝色", "兰花")]
    assert [[WAYS[hit.way] for hit in hits] for hits in found] == [
        ["verbatim"], [], [], [], [], ["verbatim"],
    ]  # fmt: skip


def test_a_name_that_two_brands_share_is_found_for_both():
    search = AliasSearch([["Kemiso", "KEMI"], ["Kemiru", "KEMI"]])
    found = search.hits("KEMI Bag", fold("KEMI Bag"))
    assert {search.names[hit.name].brand for hit in found} == {0, 1}


def test_what_looks_alike_folds_alike_and_chinese_stays():
    assert fold("I l 1 Ⅰ ｉ") == "lllll"
    assert fold("沃-兰 Bag!") == "沃兰bag"
    assert sound("沃兰bag") == "wolanbag"
    assert plain("Cloud 47 Ｉ 沃-兰") == "cloud47l沃兰"
    assert fold(fold("V0l@n 沃·兰")) == fold("V0l@n 沃·兰")


def test_every_reading_of_a_name_is_heard_and_a_single_syllable_is_not():
    assert {"tuota", "tata"} <= readings("拓塔")
    assert readings("兰") == readings("Volan") == set()


def test_generated_disguises_are_found_but_for_a_few():
    brands = [brand for brand in make_brands(count=20, seed=5) if brand.listed]
    search = AliasSearch([[b.name_en, b.name_zh, *b.aliases] for b in brands])
    rng, missed = np.random.default_rng(0), 0
    for i in range(1000):
        brand = brands[i % 20]
        title = f"New {disguise(rng, brand.name_en, brand.name_zh)[0]} Handbag"
        hits = search.hits(title, fold(title))
        missed += not any(search.names[h.name].brand == i % 20 and h.way < INSIDE for h in hits)
    assert missed < 20


def test_ngrams_are_those_that_scikit_learn_counts():
    """Their inner products agree: hashing into 2^22 buckets joins none of so few."""
    titles = ["volan手提包", "a", "新款沃兰", "volanvolan", "summer"]
    counts = CountVectorizer(analyzer="char", ngram_range=(2, 4), lowercase=False).fit_transform(
        [f"\n{title}\n" for title in titles]
    )
    number = np.asarray(counts.sum(axis=1)).ravel()
    expected = (counts @ counts.T).toarray() / np.sqrt(np.outer(number, number))
    found = ngrams(titles, bits=22, orders=(2, 3, 4))
    np.testing.assert_allclose((found @ found.T).toarray(), expected, rtol=1e-5)


def test_a_titles_features_do_not_hang_on_the_batch_it_is_in():
    titles = ["Volan Bag", "", "沃*兰 手提包", "Plain Mug"]
    options = {"brands": 3, "bits": 12, "orders": (2, 3)}
    together = featurise(titles, SEARCH, **options)
    for i, title in enumerate(titles):
        alone = featurise([title], SEARCH, **options)
        for name in ("grams", "names", "ways"):
            assert (getattr(together, name)[i] != getattr(alone, name)).nnz == 0
    assert together.ways.toarray()[0].nonzero()[0].tolist() == [VERBATIM]
