"""Families of logo symbols. Each takes a variant and returns the strokes of one symbol inside the
square [-1, 1]²; variants of a family resemble each other without being the same, which is what
look-alikes live on."""

from collections.abc import Callable

import numpy as np

from ml.synth.geometry import Points, arc, ellipse, regular, rounded, smooth, star

# A stroke: points and the ink that fills them (0 takes ink away, 1 and 2 are the brand's colours).
Stroke = tuple[Points, int]

BRAND_VARIANTS = 4
LOOK_ALIKE_VARIANTS = (4, 5)


def _points(*pairs: tuple[float, float]) -> Points:
    return np.array(pairs, dtype=float)


def _bar(x: float, top: float, width: float, lean: float = 0.0) -> Points:
    return _points(
        (x + lean, top), (x + width + lean, top), (x + width - lean, 0.9), (x - lean, 0.9)
    )


def _star(v: int) -> list[Stroke]:
    return [(star((5, 4, 6, 8, 7, 3)[v], (0.4, 0.3, 0.55, 0.6, 0.45, 0.25)[v]), 1)]


def _open_ring(v: int) -> list[Stroke]:
    gap = (60, 120, 90, 160, 30, 200)[v]
    turn = (-45, 90, 180, 0, 135, 45)[v]
    return [
        (arc(outer=1.0, inner=0.62, start=turn + gap / 2, end=turn + 360 - gap / 2), 1),
        (ellipse(0, 0, 0.3, 0.3), 2),
    ]


def _crescent(v: int) -> list[Stroke]:
    dx, dy = ((0.4, 0), (0, -0.45), (-0.35, 0.25), (0.3, 0.35), (-0.5, 0), (0, 0.3))[v]
    return [
        (ellipse(0, 0, 1, 1), 1),
        (ellipse(dx, dy, 0.78, 0.78), 0),
        (ellipse(dx * 1.2, dy * 1.2, 0.24, 0.24), 2),
    ]


def _chevrons(v: int) -> list[Stroke]:
    count, drop = ((2, 0.5), (3, 0.4), (2, 0.9), (4, 0.3), (3, 0.7), (1, 0.6))[v]
    step = 1.9 / (count + 0.6)
    strokes = []
    for i in range(count):
        top = -0.95 + i * step
        thick = step * 0.55
        shape = _points(
            (-1, top), (0, top + drop), (1, top), (1, top + thick), (0, top + drop + thick),
            (-1, top + thick),
        )  # fmt: skip
        strokes.append((shape, 1 + i % 2))
    return strokes


def _rising_bars(v: int) -> list[Stroke]:
    tops = (
        (0.3, -0.3, -0.9), (-0.9, -0.2, 0.4), (-0.3, -0.9, -0.3), (0.4, 0.0, -0.5, -0.9),
        (-0.9, 0.2, -0.9), (-0.9, -0.3, 0.1, 0.5),
    )[v]  # fmt: skip
    width = 1.3 / len(tops)
    return [
        (_bar(-0.95 + i * 1.95 / len(tops), top, width, 0.12), 1 + (i == len(tops) - 1))
        for i, top in enumerate(tops)
    ]


def _diamonds(v: int) -> list[Stroke]:
    count = (4, 3, 2, 5, 6, 1)[v]
    diamond = regular(4, 0.5) * [0.8, 1]
    centres = regular(count, 0.5) if count > 1 else np.zeros((1, 2))
    return [(diamond + c, 1 + i % 2) for i, c in enumerate(centres)]


def _petals(v: int) -> list[Stroke]:
    count, slim = ((5, 0.26), (3, 0.36), (8, 0.16), (4, 0.3), (6, 0.22), (7, 0.2))[v]
    petal = ellipse(0, -0.56, slim, 0.44)
    strokes: list[Stroke] = []
    for i in range(count):
        turn = 2 * np.pi * i / count
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        strokes.append((petal @ rotation.T, 1))
    return [*strokes, (ellipse(0, 0, 0.2, 0.2), 2)]


def _bolt(v: int) -> list[Stroke]:
    lean = (0.0, 0.3, -0.25, 0.15, -0.4, 0.5)[v]
    bolt = _points((0.25, -1), (-0.6, 0.15), (-0.05, 0.15), (-0.3, 1), (0.6, -0.25), (0.05, -0.25))
    bolt[:, 0] += lean * bolt[:, 1]
    return [(regular(6, 1.0), 2), (bolt * 0.8, 1)] if v % 2 else [(bolt, 1)]


def _sweep(v: int) -> list[Stroke]:
    rise, fat = ((0.9, 0.5), (0.5, 0.35), (0.8, 0.8), (0.3, 0.6), (1.0, 0.3), (0.6, 1.0))[v]
    x = np.linspace(-1, 1, 20)
    low = 0.45 - rise * ((x + 1) / 2) ** 2.2
    high = low - fat * np.sin(np.pi * (x + 1) / 2) ** 0.8 * 0.6
    band = np.concatenate([np.stack([x, low], 1), np.stack([x, high], 1)[::-1]])
    return [(band, 1), (ellipse(0.62, 0.45, 0.2, 0.2), 2)]


def _nested(v: int) -> list[Stroke]:
    sides = (6, 4, 3, 5, 8, 7)[v]
    inner = (0.42, 0.5, 0.4, 0.35, 0.5, 0.3)[v]
    return [(regular(sides, 1.0), 1), (regular(sides, 0.7), 0), (regular(sides, inner), 2)]


def _cross(v: int) -> list[Stroke]:
    thick = (0.3, 0.2, 0.45, 0.34, 0.12, 0.5)[v]
    arms: list[Stroke] = [
        (_points((-1, -thick), (1, -thick), (1, thick), (-1, thick)), 1),
        (_points((-thick, -1), (thick, -1), (thick, 1), (-thick, 1)), 2 if v % 2 else 1),
    ]
    return [*arms, (ellipse(0, 0, thick * 0.7, thick * 0.7), 0)]


def _peaks(v: int) -> list[Stroke]:
    top = (0.1, -0.3, 0.35, -0.6, -0.1, 0.5)[v]
    left = _points((-1, 0.8), (-0.3, -0.8), (0.4, 0.8))
    right = _points((-0.1, 0.8), (0.5, top - 0.2), (1, 0.8))
    return [(left, 1), (right, 2), (_points((-0.5, -0.3), (-0.3, -0.8), (-0.08, -0.3)), 0)][
        : 3 - v % 2
    ]


def _signal(v: int) -> list[Stroke]:
    spread, count = ((60, 3), (90, 2), (120, 3), (180, 2), (45, 4), (150, 3))[v]
    rings: list[Stroke] = []
    for i in range(count):
        outer = 1.0 - i * 0.8 / count
        shape = arc(
            outer=outer,
            inner=outer - 0.4 / count,
            start=-90 - spread / 2,
            end=-90 + spread / 2,
            centre=(0, 0.3),
        )
        rings.append((shape * [1, 1.2], 1 + i % 2))
    return [*rings, (ellipse(0, 0.5, 0.17, 0.17), 1)]


def _halves(v: int) -> list[Stroke]:
    shift, turn = ((0.3, 0), (0.4, 90), (0.3, 45), (0.15, 135), (0.6, 0), (0.5, 45))[v]
    a = arc(outer=0.7, inner=0.0, start=180 + turn, end=360 + turn, centre=(shift, -0.06))
    b = arc(outer=0.7, inner=0.0, start=turn, end=180 + turn, centre=(-shift, 0.06))
    return [(a, 1), (b, 2)]


def _crown(v: int) -> list[Stroke]:
    spikes = (3, 5, 4, 2, 6, 7)[v]
    x = np.linspace(-1, 1, 2 * spikes - 1)
    y = np.where(np.arange(2 * spikes - 1) % 2, 0.05, -0.8)
    crown = np.concatenate([np.stack([x, y], 1), [[0.8, 0.5], [-0.8, 0.5]]])
    return [(crown, 1), (_points((-0.8, 0.62), (0.8, 0.62), (0.8, 0.85), (-0.8, 0.85)), 2)]


def _eye(v: int) -> list[Stroke]:
    open_ = (0.5, 0.75, 0.35, 0.6, 0.25, 0.9)[v]
    x = np.linspace(-1, 1, 20)
    lid = open_ * np.cos(np.pi * x / 2)
    shape = np.concatenate([np.stack([x, -lid], 1), np.stack([x, lid], 1)[::-1]])
    r = open_ * 0.72
    pupil = regular(4, r) if v % 2 else ellipse(0, 0, r, r)
    return [(shape, 1), (pupil, 0), (pupil * 0.5, 2)]


def _gear(v: int) -> list[Stroke]:
    teeth = (8, 6, 12, 10, 7, 5)[v]
    turn = np.arange(teeth * 4) * 2 * np.pi / (teeth * 4)
    radius = np.where(np.arange(teeth * 4) % 4 < 2, 1.0, 0.74)
    shape = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)
    return [(shape, 1), (ellipse(0, 0, 0.45, 0.45), 0), (star(3 + v, 0.4) * 0.36, 2)]


def _zigzag(v: int) -> list[Stroke]:
    turns = (3, 2, 4, 5, 6, 3)[v]
    x = np.linspace(-1, 1, turns + 1)
    y = np.where(np.arange(turns + 1) % 2, 0.7, -0.9) * (1 if v < 3 else -0.7)
    thick = 0.42
    shape = np.concatenate([np.stack([x, y - thick / 2], 1), np.stack([x, y + thick], 1)[::-1]])
    return [(np.clip(shape, -1, 1), 1)]


def _leaf(v: int) -> list[Stroke]:
    count = (1, 2, 3, 2, 4, 3)[v]
    leaf = smooth(_points((0, -1), (0.5, -0.3), (0, 0.4), (-0.5, -0.3)), 3)
    strokes: list[Stroke] = []
    for i in range(count):
        turn = np.radians((i - (count - 1) / 2) * (50 if v < 3 else 90))
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        strokes.append((leaf @ rotation.T, 1 + i % 2))
    return [*strokes, (_points((-0.08, 0.2), (0.08, 0.2), (0.12, 1), (-0.12, 1)), 1)]


def _drops(v: int) -> list[Stroke]:
    sizes = (
        (0.62, 0.4), (0.5, 0.5), (0.45, 0.3, 0.2), (0.4, 0.4, 0.4), (0.7, 0.2), (0.3, 0.3, 0.5)
    )[v]  # fmt: skip
    centres = regular(len(sizes), 0.52, 150)
    strokes: list[Stroke] = []
    for i, (r, c) in enumerate(zip(sizes, centres, strict=True)):
        strokes += [(ellipse(0, 0, r, r) + c, 1 + i % 2), (ellipse(0, 0, r / 2, r / 2) + c, 0)]
    return strokes


FAMILIES: tuple[Callable[[int], list[Stroke]], ...] = (
    _star, _open_ring, _crescent, _chevrons, _rising_bars, _diamonds, _petals, _bolt, _sweep,
    _nested, _cross, _peaks, _signal, _halves, _crown, _eye, _gear, _zigzag, _leaf, _drops,
)  # fmt: skip

BADGES: tuple[Points | None, ...] = (
    None,
    ellipse(0, 0, 1, 1),
    rounded(np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float), 0.5),
)


def symbol(family: int, variant: int, badge: int) -> list[Stroke]:
    """One symbol; on a badge it is cut out of the badge's field."""
    strokes = FAMILIES[family](variant)
    field = BADGES[badge]
    if field is None:
        return strokes
    inside: list[Stroke] = [(points * 0.64, 0 if ink == 1 else ink) for points, ink in strokes]
    return [(field, 1), *inside]
