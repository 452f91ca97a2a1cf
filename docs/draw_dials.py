"""The drawings of the dials in the engineers' guide: what `ml.acquisition` chooses, and which
negatives `ml.models.negatives` takes, on a pool that is generated here.

    .venv/bin/python -m docs.draw_dials [--out DIR]
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml.acquisition import DEFAULT_MIX, STRATEGIES, KnownPositives, ScoredPool, TopScores, select
from ml.models.negatives import choose_negatives

OUT = Path(__file__).resolve().parent / "images"
INK, QUIET, LINE, CHOSEN, KNOWN = "#1b1e23", "#58606c", "#d9dce1", "#c2410c", "#1a56b0"
COLOURS = ("#1a56b0", "#1b8a4b", "#b45309", "#9d2c8f", "#0f7c8a")
FONT = "system-ui, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
ITEMS, BRANDS, BUDGET, SEED = 420, 5, 30, 4
SIZES = (150, 90, 60, 30, 14)  # items of each brand; the rest shows none
THRESHOLD = 0.6
KNOWING = ("neighbours", "typical")  # strategies that start from what is known
WORDS = {
    "": {
        **{name: name for name in STRATEGIES},
        "map": "each panel: one pool, as near as its pictures look alike; red: the {n} chosen",
        "known": "blue: a known picture of a rare brand",
        "default": "the default mix", "none": "no limit", "limit": "at most {n} of a brand",
        "brands": "chosen for brand 1 … 5, each brand rarer than the one before",
        "hard": "hard (looks like a brand)", "easy": "others", "share": "hard_share {share:g}",
        "negatives": "negatives_per_brand × brands = {budget} of {all}, by hard_share",
        "mix": "how a budget of {n} is shared out; what a strategy cannot use the next one gets",
    },
    ".zh": {
        "random_control": "随机对照", "probe": "探针", "low_precision": "低精确率",
        "threshold": "阈值附近", "margin": "差距小", "entropy": "熵高",
        "disagreement": "模型分歧", "neighbours": "与已知图相似",
        "typical": "典型", "hard_negatives": "难负例", "uncertain": "不确定",
        "map": "每格是同一个待选池，看起来相似的图靠在一起；红色为选中的 {n} 张",
        "known": "蓝色：稀有品牌的已知图片",
        "default": "默认配比", "none": "不限", "limit": "每个品牌最多 {n} 张",
        "brands": "为品牌 1 … 5 各选了多少张，后一个品牌比前一个更少见",
        "hard": "难负例（像某个品牌）", "easy": "其他", "share": "hard_share {share:g}",
        "negatives": "negatives_per_brand × 品牌数 = {budget}（共 {all}），按 hard_share 分配",
        "mix": "{n} 个名额如何分配；某策略用不完的由下一个接着用",
    },
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """A pool to choose from. `places`: (n, 2), what the pictures look like, as a map; `known`:
    (m, 2), where the pictures lie that are known to show the rarest brand."""

    pool: ScoredPool
    places: np.ndarray
    known: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR")
    out: Path = parser.parse_args().out
    world = make_world()
    for ending, words in WORDS.items():
        for name, drawing in draw(world, words).items():
            (out / f"{name}{ending}.svg").write_text(drawing, encoding="utf-8")


def draw(world: World, words: dict[str, str]) -> dict[str, str]:
    """Every drawing, by its name."""
    return {
        "dial-strategies": strategies(world, words),
        "dial-mix": mixes(world, words),
        "dial-most": limits(world, words),
        "dial-hard-share": hard_shares(words),
    }


def make_world(seed: int = SEED) -> World:
    """Clusters of brands among pictures of none. A classifier sees how near each centre is, a
    detector the same with noise of its own; two brands stand close and are mistaken."""
    rng = np.random.default_rng(seed)
    angles = np.array([0.1, 0.42, 0.6, 0.8, 0.95]) * 2 * np.pi
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 0.62
    centres[1] = centres[0] + [0.16, 0.3]
    branded = np.repeat(np.arange(BRANDS), SIZES)
    near = centres[branded] + rng.normal(0, 0.1, (len(branded), 2))
    places = np.concatenate([near, rng.uniform(-1, 1, (ITEMS - len(branded), 2))]).clip(-1, 1)
    one, other = (_scores(places, centres, rng, noise) for noise in (0.35, 0.9))
    looks = _looks(places, rng)
    rare = np.flatnonzero(branded == BRANDS - 1)[:2]
    pool = ScoredPool(
        brands=one[0],
        scores=one[1],
        background=one[2],
        groups=np.arange(ITEMS),
        thresholds=np.full(BRANDS, THRESHOLD),
        probe_hits=np.array([28, 12, 25, 9, 9]),
        probe_draws=np.full(BRANDS, 30),
        embeddings=lambda items: looks[items],
        others={"detector": TopScores(other[0], other[1])},
        known=KnownPositives(looks=looks[rare], brands=np.full(len(rare), BRANDS - 1)),
    )
    return World(pool=pool, places=places, known=places[rare])


def _looks(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Embeddings whose cosine falls with the distance on the map, to a half within 0.14 (random
    Fourier features, Rahimi and Recht 2007)."""
    waves, phases = rng.normal(0, 1 / 0.12, (2, 256)), rng.uniform(0, 2 * np.pi, 256)
    looks = np.cos(places @ waves + phases)
    return np.asarray(looks / np.linalg.norm(looks, axis=1, keepdims=True), np.float32)


def _scores(
    places: np.ndarray, centres: np.ndarray, rng: np.random.Generator, noise: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brands best first, their probabilities, and that of none."""
    gaps = np.linalg.norm(places[:, None] - centres[None], axis=2)
    logits = 4.5 - 14 * gaps + rng.normal(0, noise, gaps.shape)
    every = np.exp(np.concatenate([logits, np.zeros((len(places), 1))], axis=1))
    every /= every.sum(axis=1, keepdims=True)
    order = np.argsort(-every[:, :BRANDS], axis=1)
    scores = np.take_along_axis(every[:, :BRANDS], order, axis=1)
    return order.astype(np.int16), scores.astype(np.float32), every[:, -1].astype(np.float32)


def strategies(world: World, words: dict[str, str]) -> str:
    """What each strategy alone would ask."""
    side, gap, columns = 284, 14, 3
    parts = [_text(0, 14, words["map"].format(n=BUDGET)), _text(0, 32, words["known"], KNOWN)]
    for number, name in enumerate(STRATEGIES):
        x, y = number % columns * (side + gap), 46 + number // columns * (side + 34)
        chosen = select(world.pool, budget=BUDGET, mix={name: 1.0}, seed=SEED)
        mine = [choice.index for choice in chosen if choice.strategy == name]
        parts += [
            _text(x, y + 12, f"{words[name]}  ({len(mine)})", weight=650),
            f'<rect x="{x}" y="{y + 18}" width="{side}" height="{side}" fill="#fff"'
            f' stroke="{LINE}"/>',
            f'<g transform="translate({x} {y + 18})">',
            _dots(world.places, side, colour="#b9bec6", size=3),
            _dots(world.places[mine], side, colour=CHOSEN, size=7),
            _dots(world.known, side, colour=KNOWN, size=9) if name in KNOWING else "",
            "</g>",
        ]
    lines = -(-len(STRATEGIES) // columns)
    return _svg(columns * (side + gap) - gap, 46 + lines * (side + 34) - 10, parts)


def mixes(world: World, words: dict[str, str]) -> str:
    """The default mix and two others: whose share is not used, the next takes it."""
    asked = {
        words["default"]: DEFAULT_MIX,
        "threshold 0.7, probe 0.3": {"threshold": 0.7, "probe": 0.3},
        "neighbours 0.6, random_control 0.4": {"neighbours": 0.6, "random_control": 0.4},
    }
    parts, y, budget = [_text(0, 14, words["mix"].format(n=60))], 34, 60
    for label, mix in asked.items():
        counts = Counter(
            one.strategy for one in select(world.pool, budget=budget, mix=mix, seed=SEED)
        )
        bars = [(words[name], counts[name]) for name in STRATEGIES if counts[name]]
        parts += [_text(0, y, label, weight=650), *_bar(bars, 0, y + 8, 880, budget)]
        y += 96
    return _svg(880, y - 14, parts)


def limits(world: World, words: dict[str, str]) -> str:
    """How many are chosen for each brand, with a limit and without."""
    parts, y, mix = [_text(0, 14, words["brands"])], 34, {"hard_negatives": 1.0}
    for limit in (None, 12, 6):
        label = words["none"] if limit is None else words["limit"].format(n=limit)
        most = None if limit is None else np.full(BRANDS, limit)
        chosen = select(world.pool, budget=60, mix=mix, seed=SEED, most=most)
        counts = Counter(one.focus_brand for one in chosen if one.focus_brand is not None)
        bars = [(str(brand + 1), counts[brand]) for brand in range(BRANDS) if counts[brand]]
        parts += [_text(0, y, label, weight=650), *_bar(bars, 0, y + 8, 880, 60)]
        y += 96
    return _svg(880, y - 14, parts)


def hard_shares(words: dict[str, str]) -> str:
    """Which negatives train, by the share of hard ones that is asked for."""
    hard = np.arange(100) < 35
    brands = [[f"brand-{row % BRANDS}"] if row < 35 else [] for row in range(100)]
    budget, parts, y = 60, [], 34
    parts.append(_text(0, 14, words["negatives"].format(budget=budget, all=100)))
    for share in (0.0, 0.25, 0.5, 1.0):
        rng = np.random.default_rng(SEED)
        rows = choose_negatives(brands, hard, budget=budget, hard_share=share, rng=rng)
        taken = int(hard[rows].sum())
        bars = [(words["hard"], taken), (words["easy"], len(rows) - taken)]
        label = words["share"].format(share=share)
        parts += [_text(0, y, label, weight=650), *_bar(bars, 0, y + 8, 880, budget)]
        y += 96
    return _svg(880, y - 14, parts)


def _bar(parts: Iterable[tuple[str, int]], x: int, y: int, width: int, whole: int) -> list[str]:
    """A bar of pieces, each with its count in it and its name below."""
    drawn, at = [], float(x)
    for number, (name, count) in enumerate(parts):
        if not count:
            continue
        piece = width * count / whole
        colour = COLOURS[number % len(COLOURS)]
        drawn += [
            f'<rect x="{at:.1f}" y="{y}" width="{piece - 1:.1f}" height="22" fill="{colour}"/>',
            _text(at + 4, y + 16, str(count), "#fff", weight=650),
            _text(at + 2, y + 38 + 15 * (number % 3), name, colour),
        ]
        at += piece
    return drawn


def _dots(places: np.ndarray, side: int, *, colour: str, size: float) -> str:
    """Points of the map, as one path of dots."""
    inner = (places + 1.06) / 2.12 * side
    path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in inner)
    return f'<path d="{path}" stroke="{colour}" stroke-width="{size}" stroke-linecap="round"/>'


def _text(x: float, y: float, text: str, colour: str = INK, weight: int = 400) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-weight="{weight}">{text}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -4 {width + 24} {height + 16}"'
        f' font-family="{FONT}" font-size="13">\n'
        f'<rect x="-12" y="-4" width="{width + 24}" height="{height + 16}" fill="#fff"/>\n'
        f"{body}\n</svg>\n"
    )


if __name__ == "__main__":
    main()
