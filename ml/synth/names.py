"""Invented brand names in English and Chinese, what products are called, and misspelt names."""

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


def misspell(rng: np.random.Generator, english: str) -> str:
    """A knock-off's name: one letter doubled, or two changed places."""
    at = int(rng.integers(1, len(english) - 1))
    swapped = english[:at] + english[at + 1] + english[at] + english[at + 2 :]
    if swapped == english or rng.random() < 0.5:
        return english[:at] + english[at] + english[at:]
    return swapped
