"""What a brand of the generated world looks like, drawn once from the world's seed."""

from dataclasses import dataclass

import numpy as np

from ml.errors import InputError
from ml.synth import names
from ml.synth.symbols import BADGES, BRAND_VARIANTS, FAMILIES

Colour = tuple[int, int, int]

INKS: tuple[Colour, ...] = (
    (205, 32, 44), (18, 78, 170), (12, 128, 74), (240, 130, 20), (110, 40, 150), (0, 150, 170),
    (220, 40, 130), (20, 24, 40), (150, 90, 30), (240, 190, 20), (90, 150, 30), (120, 16, 40),
)  # fmt: skip
PATTERNS = ("monogram", "tartan", "bands", "dots", "zigzag", "argyle")
STYLES = ("stripes", "teeth", "split")


@dataclass(frozen=True)
class Lettering:
    """How a name is set: case, slant (shear), width (stretch) and weight (stroke, of 64 px)."""

    case: str
    slant: float
    stretch: float
    weight: int


@dataclass(frozen=True)
class Brand:
    """One brand: names, marks, and a signature (a pattern or a style) that shows without a mark.

    Attributes:
        logos: (family, variant, badge) of each logo shape, see `symbols`.
        signature: a member of PATTERNS or STYLES.
        count: how many stripes or teeth the signature has, or its scale.
        kinds: product kinds it sells.
    """

    key: str
    name_en: str
    name_zh: str
    aliases: tuple[str, ...]
    listed: bool
    protected: bool
    logos: tuple[tuple[int, int, int], ...]
    inks: tuple[Colour, Colour]
    lettering: Lettering
    signature: str
    count: int
    kinds: tuple[str, ...]

    @property
    def is_pattern(self) -> bool:
        return self.signature in PATTERNS


def unlisted_count(brands: int) -> int:
    """Brands that exist in the world without being on the list: their goods are `other`."""
    return max(2, brands // 4)


def make_brands(*, count: int, seed: int) -> list[Brand]:
    """`count` listed brands, then the unlisted ones.

    Raises:
        InputError: fewer than two, or more than there are distinct symbols.
    """
    total = count + unlisted_count(count)
    most = len(FAMILIES) * BRAND_VARIANTS * len(BADGES)
    if count < 2 or total > most:
        raise InputError(f"--brands {count}: between 2 and {most * 4 // 5} brands can be made")
    rng = np.random.default_rng([seed, 0])
    called = names.brand_names(rng, total)
    families = rng.permutation(len(FAMILIES))
    inks = rng.permutation(len(INKS))
    signatures = rng.permutation(len(PATTERNS) + len(STYLES))
    return [
        _make(
            rng,
            i,
            called[i],
            listed=i < count,
            draws=(families, inks, signatures),
            # Past this many brands a second badge would be another brand's first.
            second_logo=total <= len(FAMILIES) * BRAND_VARIANTS,
        )
        for i in range(total)
    ]


def _make(
    rng: np.random.Generator,
    i: int,
    called: tuple[str, str],
    *,
    listed: bool,
    draws: tuple[np.ndarray, np.ndarray, np.ndarray],
    second_logo: bool,
) -> Brand:
    families, inks, signatures = draws
    lap, place = divmod(i, len(families))
    family, variant, badge = int(families[place]), lap % BRAND_VARIANTS, (lap // BRAND_VARIANTS) % 3
    logos = [(family, variant, badge)]
    if rng.random() < 0.5 and second_logo:
        logos.append((family, variant, (badge + 1) % 3))
    first = int(inks[i % len(inks)])
    second = (first + 1 + int(rng.integers(len(INKS) - 1))) % len(INKS)
    english, chinese = called
    return Brand(
        key=english.lower(),
        name_en=english,
        name_zh=chinese,
        aliases=tuple(names.aliases(english, chinese)),
        listed=listed,
        protected=listed and i % 8 == 0,
        logos=tuple(logos),
        inks=(INKS[first], INKS[second]),
        lettering=Lettering(
            case=("upper", "lower", "capital")[int(rng.integers(3))],
            slant=float(rng.choice([0.0, 0.0, -0.25, 0.2])),
            stretch=float(rng.uniform(0.8, 1.5)),
            weight=int(rng.integers(0, 4)),
        ),
        signature=(PATTERNS + STYLES)[int(signatures[i % len(signatures)])],
        count=3 + (i // len(signatures)) % 3,
        kinds=tuple(sorted(rng.choice(sorted(names.KINDS_EN), 5, False).tolist())),
    )
