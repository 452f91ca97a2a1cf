"""What is drawn: marks told apart, boxes tight, attacks that do what they say."""

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from ml.errors import InputError
from ml.synth import names
from ml.synth.attacks import cover, smear
from ml.synth.brands import Lettering, make_brands
from ml.synth.geometry import placement
from ml.synth.marks import Mark, draw_mark, wordmark
from ml.synth.plan import Cast, plan_folder
from ml.synth.symbols import BRAND_VARIANTS, FAMILIES, LOOK_ALIKE_VARIANTS, symbol

INKS = ((200, 0, 0), (0, 0, 200))
VARIANTS = (*range(BRAND_VARIANTS), *LOOK_ALIKE_VARIANTS)
CAST = Cast(listed=8, unlisted=2)


def drawn(mark, degrees=0.0, width=80.0):
    """A canvas with the mark on white, and the box that was returned."""
    canvas = Image.new("RGB", (160, 160), "white")
    frame = placement(centre=(80, 80), scale=(width / 2, width / 2 / mark.aspect), degrees=degrees)
    return canvas, draw_mark(canvas, mark, frame, INKS)


def ink_of(canvas):
    return (np.asarray(canvas) != 255).any(axis=2)


def plans(folder, count):
    return plan_folder(folder=folder, count=count, cast=CAST, seed=1)


@pytest.mark.parametrize("family", range(len(FAMILIES)))
@pytest.mark.parametrize("degrees", [0.0, 30.0])
def test_a_symbols_box_is_tight(family, degrees):
    for variant in VARIANTS:
        canvas, box = drawn(Mark(strokes=tuple(symbol(family, variant, 0))), degrees)
        y, x = np.nonzero(ink_of(canvas))
        assert box == pytest.approx((x.min(), y.min(), x.max() + 1, y.max() + 1))


@pytest.mark.parametrize("slant", [-0.25, 0.0, 0.2])
def test_a_wordmarks_box_is_tight(slant):
    mark = wordmark("Keta", Lettering(case="upper", slant=slant, stretch=1.2, weight=2))
    canvas, box = drawn(mark)
    y, x = np.nonzero(ink_of(canvas))
    assert box == pytest.approx((x.min(), y.min(), x.max() + 1, y.max() + 1), abs=1)


def test_every_variant_of_a_family_differs_from_the_others():
    for family in range(len(FAMILIES)):
        canvases = [drawn(Mark(strokes=tuple(symbol(family, v, 0))))[0] for v in VARIANTS]
        for one, other in combinations(canvases, 2):
            differs = (np.asarray(one) != np.asarray(other)).any(axis=2)
            assert differs.sum() > 0.05 * (ink_of(one) | ink_of(other)).sum()


def test_no_two_brands_share_a_symbol_or_a_name():
    brands = make_brands(count=180, seed=2)
    logos = [logo for brand in brands for logo in brand.logos]
    assert len(set(logos)) == len(logos)
    assert not {variant for _, variant, _ in logos} & set(LOOK_ALIKE_VARIANTS)
    assert len({brand.key for brand in brands}) == len(brands)


def test_more_brands_than_symbols_are_refused():
    with pytest.raises(InputError, match="--brands 200"):
        make_brands(count=200, seed=2)


def test_a_cover_hides_the_whole_mark():
    for seed in range(30):
        canvas, box = drawn(Mark(strokes=tuple(symbol(seed % 20, 0, seed % 3))), degrees=seed)
        before = np.asarray(canvas).copy()
        cover(np.random.default_rng(seed), canvas, [box])
        marked = (before == INKS[0]).all(axis=2) | (before == INKS[1]).all(axis=2)
        left = (np.asarray(canvas) == before).all(axis=2) & marked
        assert not left.any()


def test_a_smear_takes_a_part_of_the_mark_and_leaves_a_part():
    for seed in range(30):
        canvas, box = drawn(Mark(strokes=tuple(symbol(9, 0, 0))))
        before = np.asarray(canvas).copy()
        smear(np.random.default_rng(seed), canvas, [box])
        mark = (before == INKS[0]).all(axis=2)
        kept = (np.asarray(canvas) == before).all(axis=2)[mark].mean()
        assert 0.3 < kept < 0.9


def test_misspelt_names_are_not_the_name():
    rng = np.random.default_rng(0)
    for english, _ in names.brand_names(rng, 100):
        assert all(names.misspell(rng, english) != english for _ in range(8))


def test_one_in_a_hundred_of_the_open_set_shows_a_listed_brand():
    shown = [p for p in plans("open", 1000) if p.brand is not None and p.brand < CAST.listed]
    assert len(shown) == 10


def test_the_pool_has_what_the_loop_is_to_find_and_what_misleads_it():
    pool = [plan for plan in plans("pool", 4000) if plan.copy_of is None]
    listed = [plan for plan in pool if plan.brand is not None and plan.brand < CAST.listed]
    assert 0.22 < len(listed) / len(pool) < 0.28
    assert {"smear", "cover", "knock_off", None} == {plan.attack for plan in listed}
    rest = {plan.look for plan in pool if plan.brand is None}
    assert rest == {"plain", "print", "mass_style", "look_alike"}
    assert any(plan.brand is not None and plan.brand >= CAST.listed for plan in pool)
    assert {plan.variation for plan in pool} == {"none", "collage", "stack"}


def test_a_near_duplicate_copies_an_original():
    pool = plans("pool", 600)
    copies = [plan for plan in pool if plan.copy_of is not None]
    assert 20 < len(copies) < 90
    for plan in copies:
        assert pool[plan.copy_of].copy_of is None
        assert plan.copy_of < plan.index


def test_every_closed_and_business_picture_shows_a_listed_brand_evenly():
    for folder in ("closed", "business"):
        made = plans(folder, 80)
        counts = np.bincount([plan.brand for plan in made], minlength=CAST.listed)
        assert (counts == 10).all()
        assert {plan.look for plan in made} <= {"mark", "signature", "both"}
    attacks = {plan.attack for plan in plans("business", 80)}
    assert attacks == {"tiny", "smear", "knock_off", "cover", None}
