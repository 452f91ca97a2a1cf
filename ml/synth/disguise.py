"""How sellers spell a brand's name so that people read it and a plain search does not find it."""

import numpy as np

WAYS = ("homoglyph", "leet", "spacing", "pinyin", "mixed")

# What sellers pick from a character table; the text model reads the Unicode consortium's data.
_HOMOGLYPHS = {
    "a": "аɑα", "b": "Ьｂ", "d": "ԁｄ", "e": "еé", "f": "ｆ", "g": "ɡｇ", "h": "һｈ", "i": "іí",
    "k": "ｋκ", "l": "ӏⅼ", "m": "ｍⅿ", "n": "ｎո", "o": "оοö", "p": "рρ", "q": "ｑԛ", "r": "ｒг",
    "s": "ѕｓ", "t": "ｔτ", "u": "υü", "v": "ν∨", "x": "хⅹ", "y": "уｙ", "z": "ｚᴢ",
}  # fmt: skip
_LEET = {
    "o": "0", "i": "1", "l": "1", "e": "3", "a": "@4", "s": "5$", "t": "7", "b": "8", "g": "9",
    "z": "2", "u": "ü",
}  # fmt: skip
_SEPARATORS = (" ", ".", "*", "-", "_", "·", "~", "/", "♥", "\u200b")
# The sound of each character of `names.SYLLABLES`, and another character of that sound.
_SOUNDS = {
    "沃": ("wo", "握"), "兰": ("lan", "蓝"), "科": ("ke", "可"), "米": ("mi", "咪"),
    "茹": ("ru", "如"), "索": ("suo", "锁"), "塔": ("ta", "它"), "贝": ("bei", "倍"),
    "朵": ("duo", "躲"), "芬": ("fen", "分"), "嘉": ("jia", "佳"), "姿": ("zi", "资"),
    "诺": ("nuo", "糯"), "佩": ("pei", "配"), "奎": ("kui", "葵"), "珊": ("shan", "山"),
    "羽": ("yu", "雨"), "洛": ("luo", "络"), "拓": ("tuo", "妥"), "玛": ("ma", "马"),
    "薇": ("wei", "威"), "布": ("bu", "步"), "赛": ("sai", "塞"), "虹": ("hong", "红"),
}  # fmt: skip


def disguise(rng: np.random.Generator, english: str, chinese: str) -> tuple[str, str]:
    """A disguised spelling and its way: one of WAYS."""
    way = str(rng.choice(WAYS))
    while True:
        spelt = _spell(rng, way, english, chinese)
        # A name in pinyin may be the English name.
        if english.lower() not in spelt.lower() and chinese not in spelt:
            return spelt, way


def disguise_latin(rng: np.random.Generator, name: str) -> str:
    """A disguised spelling of a name that has no Chinese form: look-alike letters, digits for
    letters, or something between them. A name of one letter that has no look-alike stays."""
    table = _HOMOGLYPHS if rng.random() < 0.5 else _LEET
    able = any(letter.lower() in table for letter in name)
    if able and (len(name) == 1 or rng.random() < 2 / 3):
        return _swap(rng, name, table)
    return _space(rng, name) if len(name) > 1 else name


def _spell(rng: np.random.Generator, way: str, english: str, chinese: str) -> str:
    if way == "homoglyph":
        return _swap(rng, english, _HOMOGLYPHS)
    if way == "leet":
        return _swap(rng, english.lower(), _LEET)
    if way == "spacing":
        return _space(rng, chinese if rng.random() < 0.4 else english)
    if way == "pinyin":
        return _sound(rng, chinese)
    if rng.random() < 0.3:
        return _space(rng, _sound(rng, chinese))
    table = _HOMOGLYPHS if rng.random() < 0.5 else _LEET
    return _space(rng, _swap(rng, english.lower(), table))


def _swap(rng: np.random.Generator, name: str, table: dict[str, str]) -> str:
    """Letters replaced by look-alikes: about half of those that have one, at least one."""
    able = [i for i, letter in enumerate(name) if letter.lower() in table]
    chosen = set(rng.choice(able, max(1, int(rng.binomial(len(able), 0.5))), False).tolist())
    return "".join(
        table[letter.lower()][int(rng.integers(len(table[letter.lower()])))]
        if i in chosen
        else letter
        for i, letter in enumerate(name)
    )


def _space(rng: np.random.Generator, name: str) -> str:
    """One separator between all letters, or in one place."""
    separator = _SEPARATORS[int(rng.integers(len(_SEPARATORS)))]
    if rng.random() < 0.5:
        return separator.join(name)
    cut = int(rng.integers(1, len(name)))
    return f"{name[:cut]}{separator}{name[cut:]}"


def _sound(rng: np.random.Generator, chinese: str) -> str:
    """The Chinese name by its sound: in pinyin, half in pinyin, or in other characters."""
    draw = rng.random()
    if draw < 0.4:
        letters = [_SOUNDS[character][0] for character in chinese]
        return (" " if rng.random() < 0.3 else "").join(letters)
    changed = set(range(len(chinese))) if draw < 0.6 else {int(rng.integers(len(chinese)))}
    form = int(rng.random() < 0.5)
    return "".join(_SOUNDS[c][form] if i in changed else c for i, c in enumerate(chinese))
