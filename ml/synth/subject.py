"""One product: its kind and colours, the marks and the dress it wears, and drawing it."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ml.synth.brands import INKS, Brand, Colour
from ml.synth.dress import MASS_STYLES, draw_mass_style, draw_signature
from ml.synth.geometry import Affine, apply, compose, ellipse, placement, rounded, smooth
from ml.synth.goods import GOODS, Goods, Place
from ml.synth.marks import PLAIN, Mark, draw_mark, fill, logo, wordmark
from ml.synth.names import KINDS_EN, PRINTS, brand_names, misspell
from ml.synth.plan import Plan
from ml.synth.symbols import LOOK_ALIKE_VARIANTS, symbol

# x1, y1, x2, y2 in canvas pixels.
Box = tuple[float, float, float, float]

_FABRICS: tuple[Colour, ...] = (
    (240, 240, 236), (32, 33, 38), (128, 130, 134), (190, 60, 60), (48, 82, 140), (58, 110, 84),
    (222, 196, 150), (120, 84, 60), (236, 202, 208), (180, 200, 226), (246, 220, 120),
    (96, 72, 120), (200, 120, 70), (150, 170, 130), (70, 130, 150), (90, 20, 36),
)  # fmt: skip
_WHITE: Colour = (248, 248, 246)
_BLACK: Colour = (22, 22, 26)
_GREY: Colour = (142, 142, 148)
_PLATE = rounded(np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float) * 1.18, 0.3)


@dataclass(frozen=True)
class Pose:
    """How a product stands on the canvas.

    Attributes:
        frame: from the product's unit square to the canvas.
        degrees: the frame's turn: marks follow it, though never a mirroring.
        mark_width: range of a mark's width in canvas pixels; a mark never outgrows its place.
    """

    frame: Affine
    degrees: float
    mark_width: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Subject:
    """A product as it is going to be drawn, the same however often it is drawn.

    Attributes:
        brand: whose marks and signature it wears, or None.
        marks: each with its colours; drawn at the places of the kind in turn.
        mass_style: a common style's name, or "".
    """

    kind: str
    colours: dict[str, Colour] = field(hash=False)
    brand: Brand | None
    marks: tuple[tuple[Mark, tuple[Colour, Colour]], ...]
    signature: bool
    mass_style: str
    seed: int


def make_subject(
    rng: np.random.Generator, plan: Plan, brands: list[Brand], *, kind: str | None = None
) -> Subject:
    """Draw what the plan leaves open: kind, colours, which of the brand's marks."""
    brand = brands[plan.brand] if plan.brand is not None else None
    if kind is None:
        kind = str(rng.choice(brand.kinds if brand else sorted(KINDS_EN)))
    base = _FABRICS[rng.integers(len(_FABRICS))]
    marks: list[tuple[Mark, tuple[Colour, Colour]]] = []
    if brand is not None and plan.look in ("mark", "both"):
        marks = _brand_marks(rng, brand, base, knock_off=plan.attack == "knock_off")
    elif plan.look == "look_alike":
        marks = [_look_alike(rng, [b for b in brands if b.listed], base)]
    elif plan.look == "print":
        marks = [_print(rng, base)]
    return Subject(
        kind=kind,
        colours=_colours(rng, base),
        brand=brand,
        marks=tuple(marks),
        signature=brand is not None and plan.look in ("signature", "both"),
        mass_style=str(rng.choice(MASS_STYLES)) if plan.look == "mass_style" else "",
        seed=int(rng.integers(2**31)),
    )


def draw_subject(
    canvas: Image.Image,
    mask: Image.Image,
    rng: np.random.Generator,
    subject: Subject,
    pose: Pose,
) -> list[Box]:
    """Draw the product and return its marks' boxes.

    Args:
        mask: where the product covers the canvas, painted along.
    """
    goods, frame = GOODS[subject.kind], pose.frame
    for part in goods.behind:
        _fill(canvas, mask, apply(frame, part.points), subject.colours[part.role])
    body = apply(frame, goods.body)
    _fill(canvas, mask, body, subject.colours["body"])
    if subject.signature and subject.brand is not None:
        # Large shapes are seen at less contrast than letters, and keep more of their colours.
        inks = _apart(subject.brand.inks, subject.colours["body"], least=110)
        draw_signature(canvas, body, frame, subject.brand, inks)
    elif subject.mass_style:
        draw_mass_style(
            canvas,
            body,
            frame,
            style=subject.mass_style,
            ink=subject.colours["accent"],
            seed=subject.seed,
        )
    for part in goods.front:
        _fill(canvas, mask, apply(frame, part.points), subject.colours[part.role])
    boxes = []
    for (mark, drawn_in), place in zip(subject.marks, goods.places, strict=False):
        ground = subject.colours[place.on]
        inks = _apart(drawn_in, ground)
        onto = _mark_frame(rng, mark, place, pose)
        if subject.signature or subject.mass_style:
            # A plate, as labels are sewn on: a mark on a busy ground could not be read.
            fill(canvas, apply(onto, _PLATE), ground)
        boxes.append(draw_mark(canvas, mark, onto, inks))
    return boxes


def make_pose(
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    extent: float,
    tilt: float,
    mark_width: tuple[float, float],
) -> Pose:
    """A pose about `extent` pixels large around `centre`, turned by about `tilt` degrees."""
    degrees = float(rng.normal(0, tilt))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    scale = (flip * extent * rng.uniform(0.9, 1.08), extent * rng.uniform(0.9, 1.08))
    outer = placement(centre=centre, scale=scale, degrees=degrees, shear=float(rng.normal(0, 0.06)))
    frame = compose(outer, placement(centre=(-0.5, -0.5), scale=(1, 1), degrees=0))
    return Pose(frame=frame, degrees=degrees, mark_width=mark_width)


def outline(kind: str, frame: Affine) -> np.ndarray:
    """The body's outline on the canvas."""
    goods: Goods = GOODS[kind]
    return apply(frame, goods.body)


def _mark_frame(rng: np.random.Generator, mark: Mark, place: Place, pose: Pose) -> Affine:
    """Where in its place a mark ends up, and how large."""
    scale = np.sqrt(abs(np.linalg.det(pose.frame[:, :2])))
    wide = min(1.35, mark.aspect) if mark.aspect > 1 else 1.0
    room = np.array([place.width, place.height]) * scale
    width = min(rng.uniform(*pose.mark_width) * wide, room[0], 1.1 * room[1] * mark.aspect)
    slack = room - [width, width / mark.aspect]
    jitter = rng.uniform(-0.4, 0.4, 2) * np.maximum(slack, 0)
    centre = apply(pose.frame, np.array([[place.x, place.y]]))[0] + jitter
    return placement(
        centre=(float(centre[0]), float(centre[1])),
        scale=(width / 2, width / 2 / mark.aspect),
        degrees=pose.degrees + float(rng.normal(0, 4)),
    )


def _brand_marks(
    rng: np.random.Generator, brand: Brand, base: Colour, *, knock_off: bool
) -> list[tuple[Mark, tuple[Colour, Colour]]]:
    inks = _mark_inks(rng, brand.inks, base)
    chosen = rng.random()
    if knock_off and chosen < 0.5:
        return [(wordmark(misspell(rng, brand.name_en), brand.lettering), inks)]
    if knock_off:
        return [(_bent(rng, logo(brand, 0)), (inks[1], inks[0]) if rng.random() < 0.5 else inks)]
    symbols = logo(brand, int(rng.integers(2)))
    in_chinese = rng.random() < 0.25
    letters = wordmark(brand.name_zh if in_chinese else brand.name_en, brand.lettering)
    if chosen < 0.58:
        return [(symbols, inks)]
    return [(letters, inks)] if chosen < 0.85 else [(symbols, inks), (letters, inks)]


def _bent(rng: np.random.Generator, mark: Mark) -> Mark:
    """A knock-off's symbol: near enough to be taken for the brand's, and not it."""
    lean = float(rng.choice([-0.35, 0.35]))
    bend = np.array([[1.0, lean], [0.0, 0.8]])
    strokes = [(points @ bend.T, ink) for points, ink in mark.strokes]
    dot = ellipse(0.85, -0.75, 0.2, 0.2) if rng.random() < 0.5 else ellipse(0, 0.92, 0.5, 0.1)
    return Mark(strokes=(*strokes, (dot, 2)))


def _look_alike(
    rng: np.random.Generator, listed: list[Brand], base: Colour
) -> tuple[Mark, tuple[Colour, Colour]]:
    """A mark that resembles a listed brand's and is nobody's."""
    like = listed[rng.integers(len(listed))]
    inks = like.inks if rng.random() < 0.6 else _two(rng, INKS)
    inks = _mark_inks(rng, inks, base)
    if rng.random() < 0.3:
        invented = brand_names(rng, 1)[0][0][::-1].capitalize()
        return wordmark(invented, like.lettering), inks
    family, _, badge = like.logos[0]
    variant = int(rng.choice(LOOK_ALIKE_VARIANTS))
    return Mark(strokes=tuple(symbol(family, variant, badge))), inks


def _print(rng: np.random.Generator, base: Colour) -> tuple[Mark, tuple[Colour, Colour]]:
    """Decoration that no brand owns: words, a heart, a face, a sun."""
    inks = _mark_inks(rng, _two(rng, INKS), base)
    if rng.random() < 0.5:
        return wordmark(PRINTS[rng.integers(len(PRINTS))], PLAIN), inks
    heart = smooth(
        np.array([(0, 0.95), (-1, -0.1), (-0.75, -0.8), (0, -0.45), (0.75, -0.8), (1, -0.1)]), 2
    )
    face = [
        (ellipse(0, 0, 1, 1), 1), (ellipse(-0.35, -0.3, 0.13, 0.2), 0),
        (ellipse(0.35, -0.3, 0.13, 0.2), 0), (ellipse(0, 0.35, 0.5, 0.2), 0),
    ]  # fmt: skip
    cloud = [
        (ellipse(x, y, r, r), 1)
        for x, y, r in ((-0.5, 0.2, 0.5), (0.1, -0.1, 0.6), (0.6, 0.25, 0.4))
    ]
    strokes = ([(heart, 1)], face, cloud)[rng.integers(3)]
    return Mark(strokes=tuple(strokes)), inks


def _colours(rng: np.random.Generator, base: Colour) -> dict[str, Colour]:
    accent = _seen(_FABRICS[rng.integers(len(_FABRICS))], base, least=150)
    panel = _shade(base, rng.uniform(0.72, 0.9)) if rng.random() < 0.7 else accent
    metal = ((205, 208, 214), (212, 180, 110), (70, 72, 78))[rng.integers(3)]
    return {
        "body": base,
        "panel": panel,
        "accent": accent,
        "sole": (_WHITE, _WHITE, (60, 60, 62), (205, 170, 120))[rng.integers(4)],
        "dark": _shade(base, 0.45) if sum(base) > 200 else (70, 70, 76),
        "light": (_WHITE, (236, 232, 220), (222, 228, 236))[rng.integers(3)],
        "metal": metal,
    }


def _mark_inks(
    rng: np.random.Generator, inks: tuple[Colour, Colour], base: Colour
) -> tuple[Colour, Colour]:
    """The mark's own colours, or plain white or black, whatever can be seen on `base`."""
    if rng.random() < 0.25:
        inks = (_WHITE, (210, 210, 206)) if sum(base) < 400 else (_BLACK, (90, 90, 94))
    return _apart(inks, base)


def _apart(inks: tuple[Colour, Colour], base: Colour, *, least: int = 190) -> tuple[Colour, Colour]:
    """Two inks that can be told from the ground and from each other."""
    first, second = _seen(inks[0], base, least), _seen(inks[1], base, least)
    return first, second if second != first else _GREY


def _seen(ink: Colour, base: Colour, least: int) -> Colour:
    """The ink, or white or black where it differs from `base` by less than `least` of 765."""
    if sum(abs(a - b) for a, b in zip(ink, base, strict=True)) > least:
        return ink
    return _WHITE if sum(base) < 400 else _BLACK


def _two(rng: np.random.Generator, colours: tuple[Colour, ...]) -> tuple[Colour, Colour]:
    first, second = rng.choice(len(colours), 2, replace=False)
    return colours[first], colours[second]


def _shade(colour: Colour, by: float) -> Colour:
    red, green, blue = (int(channel * by) for channel in colour)
    return red, green, blue


def _fill(canvas: Image.Image, mask: Image.Image, points: np.ndarray, colour: Colour) -> None:
    fill(canvas, points, colour)
    fill(mask, points, 255)
