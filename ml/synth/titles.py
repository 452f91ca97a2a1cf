"""Product titles in English and Chinese: the brand named, disguised, left out, or never there."""

from dataclasses import dataclass

import numpy as np

from ml.synth import names
from ml.synth.brands import Brand
from ml.synth.disguise import disguise
from ml.synth.plan import FOLDERS, Plan

NAMED, DISGUISED = 0.45, 0.25
# Shares of the titles that leave the brand out and yet say its product line, and of goods without
# a brand that are sold as fitting one.
LINE, FITTING = 0.4, 0.01

_ADJECTIVES = (
    ("New", "新款"), ("Classic", "经典"), ("Light", "轻便"), ("Men's", "男士"), ("Women's", "女士"),
    ("Casual", "休闲"), ("Street", "潮流"), ("Summer", "夏季"), ("Premium", "高端"),
    ("Outdoor", "户外"), ("Soft", "舒适"), ("Student", "学生"),
)  # fmt: skip
# Ordinary words, many with some brand's short name or the sound of its Chinese name within.
_DETAILS = (
    ("Beige", "米色"), ("Island", "米兰风"), ("Landscape", "玉米纹"), ("Dormitory", "宿舍"),
    ("Self-Adhesive", "自粘"), ("Large Volume", "大容量"), ("Normal Size", "常规码"),
    ("Gallery", "布艺"), ("Marble", "玛瑙纹"), ("Market", "科技感"), ("Vitamin Yellow", "红色"),
    ("Visor", "塔夫绸"), ("Minor Defect", "微瑕"), ("Solar", "嘉年华"), ("Brushed", "羽绒"),
    ("Tortoise", "贝壳扣"), ("Fence", "芬芳"), ("Rubber", "不锈钢"), ("Lantern", "蓝色"),
    ("Total Black", "黑色"), ("Cotton", "纯棉"), ("Leather", "真皮"), ("2026", "2026"),
    ("Size 38", "38码"), ("Waterproof", "防水"), ("Vintage", "复古"), ("Couple", "情侣"),
    ("Make Up", "可爱"), ("Tape", "拓展"), ("Honeycomb", "洛丽塔"),
)  # fmt: skip
_TAILS = (
    ("Free Shipping", "包邮"), ("Same Style", "同款"), ("Hot Sale", "热卖"), ("Gift", "送礼"),
    ("Original Quality", "原单品质"), ("", ""), ("", ""), ("", ""),
)  # fmt: skip
_LINES = (
    ("Cloud", "云步"), ("Court", "球场"), ("Aero", "风行"), ("Terra", "大地"), ("Pulse", "脉动"),
    ("Nova", "新星"), ("Drift", "漂流"), ("Prime", "元素"),
)  # fmt: skip
_FITS = (("Compatible with {}", "适用{}"), ("Replacement for {}", "{}替换款"))


@dataclass(frozen=True)
class Title:
    """A title and what only the truth knows of it.

    Attributes:
        brand: index of the brand it is about, or None.
        form: named | disguised | absent, of a branded product; fitting, of one that only claims to
            fit a brand; none.
        way: how it is disguised (see `disguise`), or `line` where the product line gives it away.
    """

    text: str
    brand: int | None = None
    form: str = "none"
    way: str = ""


def draw_title(*, seed: int, plan: Plan, brands: list[Brand], kind: str) -> Title:
    """The title of a planned picture, from a random stream of its own: it moves no pixel.

    The product table names a brand in the title even where the picture shows none.
    """
    rng = np.random.default_rng([seed, 6, FOLDERS.index(plan.folder), plan.index])
    chinese = int(rng.random() < 0.5)
    brand = plan.weak_brand if plan.weak_brand is not None else plan.brand
    if brand is None:
        return _unbranded(rng, brands, kind=kind, chinese=chinese)
    draw = rng.random()
    made = brands[brand]
    if draw < NAMED:
        called, form, way = _called(rng, made, chinese), "named", ""
    elif draw < NAMED + DISGUISED:
        (called, way), form = disguise(rng, made.name_en, made.name_zh), "disguised"
    elif rng.random() < LINE:
        called, form, way = line_name(seed, brand)[chinese], "absent", "line"
    else:
        called, form, way = "", "absent", ""
    return Title(_compose(rng, called, kind=kind, chinese=chinese), brand, form, way)


def _called(rng: np.random.Generator, brand: Brand, chinese: int) -> str:
    """A name that the brand list knows: mostly the one in the title's language."""
    own, other = (brand.name_en, brand.name_zh)[:: -1 if chinese else 1]
    spellings = (own, other, f"{brand.name_en} {brand.name_zh}", brand.aliases[0])
    return str(rng.choice(spellings, p=(0.7, 0.1, 0.1, 0.1)))


def line_name(seed: int, brand: int) -> tuple[str, str]:
    """English and Chinese name of the brand's best-known product line. Buyers know it; the brand
    list does not, so that it has to be learned from titles."""
    rng = np.random.default_rng([seed, 7, brand])
    english, chinese = _LINES[rng.integers(len(_LINES))]
    number = int(rng.integers(10, 100))
    return f"{english} {number}", f"{chinese}{number}"


def _unbranded(rng: np.random.Generator, brands: list[Brand], *, kind: str, chinese: int) -> Title:
    if rng.random() >= FITTING:
        return Title(_compose(rng, "", kind=kind, chinese=chinese))
    listed = [i for i, brand in enumerate(brands) if brand.listed]
    fitted = int(rng.choice(listed))
    name = (brands[fitted].name_en, brands[fitted].name_zh)[chinese]
    phrase = _FITS[rng.integers(len(_FITS))][chinese].format(name)
    return Title(_compose(rng, phrase, kind=kind, chinese=chinese), fitted, "fitting")


def _compose(rng: np.random.Generator, called: str, *, kind: str, chinese: int) -> str:
    """The words in an order; what the product is called stands first, or anywhere."""
    words = [_ADJECTIVES[i][chinese] for i in rng.choice(len(_ADJECTIVES), 2, False)]
    details = rng.choice(len(_DETAILS), int(rng.integers(0, 3)), False)
    words += [_DETAILS[i][chinese] for i in details]
    words.append((names.KINDS_ZH if chinese else names.KINDS_EN)[kind])
    words.append(_TAILS[rng.integers(len(_TAILS))][chinese])
    place = 0 if rng.random() < 0.6 else int(rng.integers(len(words) + 1))
    words.insert(place, called)
    return ("" if chinese else " ").join(word for word in words if word)
