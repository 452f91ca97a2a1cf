"""Silhouettes of product kinds in a unit square, y downwards: parts to be filled in turn, the
outline that patterns are clipped to, and the places a mark is put."""

from dataclasses import dataclass

import numpy as np

from ml.synth.geometry import Points, arc, ellipse, rounded, smooth


@dataclass(frozen=True)
class Part:
    """One filled shape. `role` picks the colour: body | panel | sole | dark | light | metal."""

    role: str
    points: Points


@dataclass(frozen=True)
class Place:
    """Where a mark may sit: centre, width and height, in the product's unit square; and the role
    of the part it sits on, whose colour it must stand out from."""

    x: float
    y: float
    width: float
    height: float
    on: str = "body"


@dataclass(frozen=True)
class Goods:
    """A product kind: its body, what is drawn before (behind) and after it, and mark places."""

    body: Points
    behind: tuple[Part, ...]
    front: tuple[Part, ...]
    places: tuple[Place, ...]


def _p(*pairs: tuple[float, float]) -> Points:
    return np.array(pairs, dtype=float)


def _shoe() -> Goods:
    body = smooth(
        _p(
            (0.07, 0.60), (0.05, 0.40), (0.09, 0.24), (0.18, 0.27), (0.30, 0.25), (0.40, 0.27),
            (0.52, 0.42), (0.70, 0.50), (0.88, 0.55), (0.97, 0.64), (0.96, 0.74), (0.06, 0.74),
        ),
        2,
    )  # fmt: skip
    sole = smooth(
        _p((0.04, 0.70), (0.5, 0.72), (0.97, 0.69), (0.98, 0.78), (0.9, 0.83), (0.06, 0.83)), 2
    )
    laces = tuple(
        Part("light", _p((x, y), (x + 0.09, y - 0.05), (x + 0.10, y - 0.03), (x + 0.01, y + 0.02)))
        for x, y in ((0.38, 0.36), (0.43, 0.41), (0.48, 0.46))
    )
    toe = smooth(_p((0.78, 0.54), (0.95, 0.60), (0.97, 0.72), (0.74, 0.72)), 2)
    collar = smooth(_p((0.10, 0.25), (0.38, 0.25), (0.34, 0.33), (0.13, 0.32)), 2)
    heel = smooth(_p((0.05, 0.40), (0.15, 0.44), (0.16, 0.72), (0.05, 0.72)), 2)
    return Goods(
        body=body,
        behind=(),
        front=(
            Part("panel", toe), Part("panel", heel), Part("dark", collar), *laces,
            Part("sole", sole),
        ),
        places=(Place(0.40, 0.54, 0.50, 0.30),),
    )  # fmt: skip


def _shirt() -> Goods:
    body = rounded(
        _p(
            (0.30, 0.08), (0.40, 0.13), (0.60, 0.13), (0.70, 0.08), (0.97, 0.25), (0.88, 0.45),
            (0.76, 0.38), (0.77, 0.93), (0.23, 0.93), (0.24, 0.38), (0.12, 0.45), (0.03, 0.25),
        ),
        0.05,
    )  # fmt: skip
    neck = smooth(_p((0.37, 0.09), (0.63, 0.09), (0.58, 0.19), (0.42, 0.19)), 2)
    cuffs = (
        Part("panel", _p((0.05, 0.34), (0.08, 0.28), (0.17, 0.40), (0.12, 0.44))),
        Part("panel", _p((0.95, 0.34), (0.92, 0.28), (0.83, 0.40), (0.88, 0.44))),
    )
    return Goods(
        body=body,
        behind=(),
        front=(Part("dark", neck), *cuffs),
        places=(Place(0.5, 0.42, 0.50, 0.40), Place(0.5, 0.76, 0.46, 0.24)),
    )


def _bag() -> Goods:
    body = rounded(_p((0.14, 0.38), (0.86, 0.38), (0.97, 0.92), (0.03, 0.92)), 0.10)
    handle = arc(centre=(0.5, 0.40), outer=0.30, inner=0.24, start=180, end=360)
    flap = rounded(_p((0.14, 0.37), (0.86, 0.37), (0.82, 0.48), (0.5, 0.55), (0.18, 0.48)), 0.06)
    return Goods(
        body=body,
        behind=(Part("panel", handle),),
        front=(Part("panel", flap), Part("metal", ellipse(0.5, 0.52, 0.03, 0.03))),
        places=(Place(0.5, 0.73, 0.64, 0.34),),
    )


def _cap() -> Goods:
    body = smooth(
        _p(
            (0.06, 0.66), (0.08, 0.38), (0.24, 0.18), (0.44, 0.14), (0.64, 0.22), (0.74, 0.44),
            (0.76, 0.66),
        ),
        2,
    )  # fmt: skip
    brim = smooth(
        _p((0.34, 0.64), (0.76, 0.58), (0.99, 0.70), (0.96, 0.78), (0.70, 0.72), (0.38, 0.71)), 2
    )
    button = ellipse(0.44, 0.165, 0.035, 0.02)
    return Goods(
        body=body,
        behind=(),
        front=(Part("panel", brim), Part("panel", button)),
        places=(Place(0.42, 0.44, 0.54, 0.38),),
    )


def _watch() -> Goods:
    strap = _p(
        (0.36, 0.0), (0.64, 0.0), (0.68, 0.26), (0.68, 0.74), (0.64, 1.0), (0.36, 1.0),
        (0.32, 0.74), (0.32, 0.26),
    )  # fmt: skip
    ticks = tuple(
        Part(
            "dark",
            arc(centre=(0.5, 0.5), outer=0.255, inner=0.225, start=degrees - 3, end=degrees + 3),
        )
        for degrees in range(0, 360, 30)
    )
    hands = (
        Part("dark", _p((0.49, 0.5), (0.51, 0.5), (0.66, 0.68), (0.65, 0.69))),
        Part("dark", _p((0.49, 0.51), (0.5, 0.49), (0.36, 0.61), (0.355, 0.60))),
    )
    return Goods(
        body=strap,
        behind=(),
        front=(
            Part("metal", ellipse(0.83, 0.5, 0.03, 0.05)),
            Part("metal", ellipse(0.5, 0.5, 0.33, 0.33)),
            Part("light", ellipse(0.5, 0.5, 0.28, 0.28)),
            *ticks, *hands,
        ),
        places=(Place(0.5, 0.41, 0.42, 0.24, on="light"),),
    )  # fmt: skip


def _backpack() -> Goods:
    body = rounded(
        _p((0.15, 0.30), (0.28, 0.08), (0.72, 0.08), (0.85, 0.30), (0.90, 0.95), (0.10, 0.95)), 0.14
    )
    loop = arc(centre=(0.5, 0.12), outer=0.12, inner=0.08, start=180, end=360)
    sides = (
        Part("panel", smooth(_p((0.04, 0.55), (0.16, 0.5), (0.16, 0.9), (0.04, 0.86)), 2)),
        Part("panel", smooth(_p((0.96, 0.55), (0.84, 0.5), (0.84, 0.9), (0.96, 0.86)), 2)),
    )
    pocket = rounded(_p((0.22, 0.60), (0.78, 0.60), (0.81, 0.90), (0.19, 0.90)), 0.08)
    zip_ = _p((0.24, 0.565), (0.76, 0.565), (0.76, 0.585), (0.24, 0.585))
    return Goods(
        body=body,
        behind=(Part("dark", loop), *sides),
        front=(Part("panel", pocket), Part("metal", zip_)),
        places=(Place(0.5, 0.36, 0.46, 0.32), Place(0.5, 0.75, 0.44, 0.22, on="panel")),
    )


def _mug() -> Goods:
    body = rounded(_p((0.06, 0.10), (0.74, 0.10), (0.69, 0.93), (0.11, 0.93)), 0.09)
    handle = arc(centre=(0.70, 0.48), outer=0.27, inner=0.18, start=-85, end=95)
    rim = ellipse(0.40, 0.13, 0.325, 0.045)
    return Goods(
        body=body,
        behind=(Part("body", handle),),
        front=(Part("dark", rim),),
        places=(Place(0.40, 0.54, 0.50, 0.44),),
    )


def _phone_case() -> Goods:
    body = rounded(_p((0.23, 0.01), (0.77, 0.01), (0.77, 0.99), (0.23, 0.99)), 0.10)
    lenses = tuple(
        Part("metal", ellipse(x, y, 0.045, 0.045)) for x, y in ((0.35, 0.11), (0.35, 0.22))
    )
    island = rounded(_p((0.27, 0.04), (0.46, 0.04), (0.46, 0.30), (0.27, 0.30)), 0.06)
    return Goods(
        body=body,
        behind=(),
        front=(Part("dark", island), *lenses),
        places=(Place(0.5, 0.60, 0.44, 0.44),),
    )


GOODS: dict[str, Goods] = {
    "shoe": _shoe(), "shirt": _shirt(), "bag": _bag(), "cap": _cap(), "watch": _watch(),
    "backpack": _backpack(), "mug": _mug(), "phone_case": _phone_case(),
}  # fmt: skip
