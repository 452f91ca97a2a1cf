"""Invented brand names in English and Chinese, product titles, and how sellers disguise names."""

import numpy as np

# Syllables with the character that carries the sound, so that the two names belong together.
SYLLABLES = (
    ("vo", "沃"), ("lan", "兰"), ("ke", "科"), ("mi", "米"), ("ru", "茹"), ("so", "索"),
    ("ta", "塔"), ("bei", "贝"), ("dor", "朵"), ("fen", "芬"), ("gal", "嘉"), ("zi", "姿"),
    ("nor", "诺"), ("pel", "佩"), ("qui", "奎"), ("xan", "珊"), ("yu", "羽"), ("lux", "洛"),
    ("tor", "拓"), ("mar", "玛"), ("vi", "薇"), ("bru", "布"), ("sel", "赛"), ("hon", "虹"),
)  # fmt: skip

KINDS_ZH = {
    "shoe": "运动鞋", "shirt": "短袖T恤", "bag": "手提包", "cap": "棒球帽", "watch": "手表",
    "backpack": "双肩包", "mug": "马克杯", "phone_case": "手机壳",
}  # fmt: skip
KINDS_EN = {
    "shoe": "Sneakers", "shirt": "T-Shirt", "bag": "Handbag", "cap": "Baseball Cap",
    "watch": "Watch", "backpack": "Backpack", "mug": "Mug", "phone_case": "Phone Case",
}  # fmt: skip
CATEGORY = {
    "shoe": "Footwear", "shirt": "Apparel", "bag": "Accessories", "cap": "Accessories",
    "watch": "Accessories", "backpack": "Accessories", "mug": "Home", "phone_case": "Electronics",
}  # fmt: skip
_ADJECTIVES = (
    ("New", "新款"), ("Classic", "经典"), ("Light", "轻便"), ("Men's", "男士"), ("Women's", "女士"),
    ("Casual", "休闲"), ("Street", "潮流"), ("Summer", "夏季"), ("Premium", "高端"),
    ("Outdoor", "户外"), ("Soft", "舒适"), ("Student", "学生"),
)  # fmt: skip
_TAILS = (
    ("Free Shipping", "包邮"), ("Same Style", "同款"), ("Hot Sale", "热卖"), ("Gift", "送礼"),
    ("Original Quality", "原单品质"), ("", ""), ("", ""), ("", ""),
)  # fmt: skip
_LOOKS_LIKE = {
    "o": "0",
    "i": "1",
    "l": "1",
    "e": "3",
    "a": "@",
    "s": "5",
    "t": "7",
    "b": "8",
    "u": "ü",
}

PRINTS = (
    "SPORT", "HAPPY", "LOVE", "1998", "NEW YORK", "SUMMER", "COOL", "TEAM 07", "DREAM", "OCEAN",
    "WILD", "HELLO", "CLUB", "ROCK", "LUCKY", "SUNDAY",
)  # fmt: skip


def brand_names(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """`count` distinct (English, Chinese) names of two or three syllables."""
    names: dict[str, str] = {}
    while len(names) < count:
        parts = [SYLLABLES[i] for i in rng.choice(len(SYLLABLES), rng.integers(2, 4), False)]
        english = "".join(latin for latin, _ in parts).capitalize()
        # Names that contain one another would make a title ambiguous.
        if not any(english.lower() in n.lower() or n.lower() in english.lower() for n in names):
            names[english] = "".join(character for _, character in parts)
    return list(names.items())


def aliases(english: str, chinese: str) -> list[str]:
    """What buyers and sellers call the brand besides its names."""
    return [english[:4].upper(), f"{chinese}官方", f"{english} {chinese}"]


def disguise(rng: np.random.Generator, english: str, chinese: str) -> str:
    """A spelling that people read as the brand and a plain search does not find."""
    way = rng.integers(4)
    if way == 0:
        return "".join(_LOOKS_LIKE.get(letter, letter) for letter in english.lower())
    if way == 1:
        return ".".join(english)
    if way == 2:
        return "*".join(chinese)
    cut = int(rng.integers(1, len(english)))
    return f"{english[:cut]} {english[cut:]}"


def misspell(rng: np.random.Generator, english: str) -> str:
    """A knock-off's name: one letter doubled, or two changed places."""
    at = int(rng.integers(1, len(english) - 1))
    swapped = english[:at] + english[at + 1] + english[at] + english[at + 2 :]
    if swapped == english or rng.random() < 0.5:
        return english[:at] + english[at] + english[at:]
    return swapped


def title(
    rng: np.random.Generator,
    *,
    kind: str,
    names: tuple[str, str] | None,
    named: float = 0.45,
    disguised: float = 0.25,
) -> str:
    """A product's title in English or Chinese. The brand is named with chance `named`, disguised
    with chance `disguised`, else left out; without `names` there is no brand to name."""
    chinese = int(rng.random() < 0.5)
    adjectives = [_ADJECTIVES[i][chinese] for i in rng.choice(len(_ADJECTIVES), 2, False)]
    tail = _TAILS[rng.integers(len(_TAILS))][chinese]
    draw = rng.random()
    brand = ""
    if names is not None and draw < named:
        brand = names[chinese]
    elif names is not None and draw < named + disguised:
        brand = disguise(rng, *names)
    noun = (KINDS_ZH if chinese else KINDS_EN)[kind]
    words = [brand, *adjectives, noun, tail]
    return ("" if chinese else " ").join(word for word in words if word)
