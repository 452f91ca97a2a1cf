"""What each picture is to show, decided before anything is drawn."""

from dataclasses import dataclass, replace

import numpy as np

# A folder's place seeds its draws: a new one comes last, or every world would change.
FOLDERS = ("train", "detection", "variation", "pool", "closed", "open", "business", "audit")

# How a picture without a listed brand looks, with its share, by folder. The catalogue has few of
# the look-alikes that circulate online: telling those apart is what the loop has to buy.
_UNBRANDED = {
    "train": {"plain": 0.55, "print": 0.25, "mass_style": 0.15, "look_alike": 0.05},
    "online": {
        "plain": 0.33, "print": 0.20, "mass_style": 0.17, "look_alike": 0.20, "unlisted": 0.10,
    },
    "detection": {"plain": 0.3, "print": 0.4, "look_alike": 0.3},
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One picture to be drawn.

    Attributes:
        brand: index of the brand on display (unlisted ones come after the listed), or None.
        weak_brand: index of the brand the product table names, shown or not.
        look: plain | print | mass_style | look_alike | mark | signature | both.
        attack: None | smear | cover | knock_off | tiny.
        variation: none | collage | stack.
        mark_width: range of the mark's width as a share of the picture's.
        copy_of: index of the picture of the same folder this one is a near-duplicate of.
    """

    folder: str
    index: int
    brand: int | None = None
    weak_brand: int | None = None
    look: str = "plain"
    attack: str | None = None
    variation: str = "none"
    mark_width: tuple[float, float] = (0.20, 0.46)
    copy_of: int | None = None


@dataclass(frozen=True)
class Cast:
    """How many brands there are, on the list and off it."""

    listed: int
    unlisted: int


def plan_folder(*, folder: str, count: int, cast: Cast, seed: int) -> list[Plan]:
    """The plans of one folder, in a drawn order."""
    rng = np.random.default_rng([seed, 1, FOLDERS.index(folder)])
    make = {
        "train": _train, "detection": _detection, "variation": _variation, "pool": _pool,
        "closed": _closed, "open": _open, "business": _business, "audit": _business,
    }[folder]  # fmt: skip
    brands = np.arange(count) % cast.listed
    rng.shuffle(brands)
    ranks = rng.permutation(count)
    plans = []
    for i in range(count):
        blank = Plan(folder=folder, index=i)
        # `share` runs evenly over [0, 1), so that shares come out exactly, not by luck.
        share = (int(ranks[i]) + 0.5) / count
        plans.append(make(rng, blank, int(brands[i]), share, cast))
    return _with_copies(rng, plans) if folder == "pool" else plans


def _branded(rng: np.random.Generator, plan: Plan, brand: int, signature_only: float) -> Plan:
    """A listed brand's product: a mark, its signature, or both."""
    draw = rng.random()
    look = "signature" if draw < signature_only else ("both" if draw > 0.65 else "mark")
    return replace(plan, brand=brand, weak_brand=brand, look=look)


def _unbranded(rng: np.random.Generator, plan: Plan, mix: str, cast: Cast) -> Plan:
    shares = _UNBRANDED[mix]
    look = str(rng.choice(list(shares), p=list(shares.values())))
    if look == "unlisted":
        other = cast.listed + int(rng.integers(cast.unlisted))
        return replace(_branded(rng, plan, other, 0.2), weak_brand=None)
    return replace(plan, look=look)


def _attacked(rng: np.random.Generator, plan: Plan, chance: float) -> Plan:
    """With `chance`, what a seller does to a branded product to escape."""
    if rng.random() >= chance:
        return plan
    attack = str(rng.choice(["smear", "cover", "knock_off"], p=[0.4, 0.25, 0.35]))
    return _covered(plan) if attack == "cover" else replace(plan, attack=attack, look="mark")


def _covered(plan: Plan) -> Plan:
    """A covered mark leaves the signature to tell the brand, so it must not fill the product."""
    return replace(plan, attack="cover", look="both", mark_width=(0.14, 0.26))


def _arranged(rng: np.random.Generator, plan: Plan, chance: float) -> Plan:
    if rng.random() >= chance:
        return plan
    return replace(plan, variation="collage" if rng.random() < 0.5 else "stack")


def _train(rng: np.random.Generator, plan: Plan, brand: int, share: float, cast: Cast) -> Plan:
    if share >= 0.70:
        return _unbranded(rng, plan, "train", cast)
    if share < 0.70 * 0.12:
        look = str(rng.choice(["plain", "print"]))
        return replace(plan, weak_brand=brand, look=look)
    return _branded(rng, plan, brand, 0.22)


def _detection(rng: np.random.Generator, plan: Plan, brand: int, share: float, cast: Cast) -> Plan:
    if share < 0.12:
        return _unbranded(rng, plan, "detection", cast)
    if share < 0.16:
        return replace(plan, brand=brand, weak_brand=brand, look="signature")
    plan = replace(plan, brand=brand, weak_brand=brand, look="both" if share < 0.4 else "mark")
    return replace(plan, mark_width=(0.22, 0.50))


def _variation(rng: np.random.Generator, plan: Plan, brand: int, share: float, cast: Cast) -> Plan:
    plan = replace(plan, variation=("none", "collage", "stack")[int(share * 3)])
    if rng.random() < 0.5:
        return _branded(rng, plan, brand, 0.25)
    return _unbranded(rng, plan, "train", cast)


def _online(rng: np.random.Generator, plan: Plan, brand: int | None, cast: Cast) -> Plan:
    plan = _arranged(rng, plan, 0.10)
    if brand is None:
        return _unbranded(rng, plan, "online", cast)
    plan = _branded(rng, plan, brand, 0.25)
    return _attacked(rng, plan, 0.22) if plan.variation == "none" else plan


def _pool(rng: np.random.Generator, plan: Plan, brand: int, share: float, cast: Cast) -> Plan:
    return _online(rng, plan, brand if share < 0.25 else None, cast)


def _open(rng: np.random.Generator, plan: Plan, brand: int, share: float, cast: Cast) -> Plan:
    return _online(rng, plan, brand if share < 0.01 else None, cast)


def _closed(rng: np.random.Generator, plan: Plan, brand: int, share: float, cast: Cast) -> Plan:
    if share < 0.14:
        return _branded(
            rng, replace(plan, variation="collage" if share < 0.07 else "stack"), brand, 0.25
        )
    return _attacked(rng, _branded(rng, plan, brand, 0.25), 0.06)


def _business(rng: np.random.Generator, plan: Plan, brand: int, share: float, cast: Cast) -> Plan:
    """Hard ones: about two in three still show a mark, as in the article's set."""
    plan = replace(plan, brand=brand, weak_brand=brand, look="mark")
    if share < 0.25:
        return replace(plan, attack="tiny", mark_width=(0.06, 0.11))
    if share < 0.45:
        return replace(plan, attack="smear")
    if share < 0.67:
        return replace(plan, attack="knock_off")
    if share < 0.85:
        return _covered(plan)
    return replace(plan, look="signature")


def _with_copies(rng: np.random.Generator, plans: list[Plan]) -> list[Plan]:
    """Make one picture in twelve a near-duplicate of an earlier one."""
    out: list[Plan] = []
    for plan in plans:
        if plan.index and rng.random() < 1 / 12:
            source = int(rng.integers(plan.index))
            first = out[source].copy_of
            source = source if first is None else first
            out.append(replace(out[source], index=plan.index, copy_of=source))
        else:
            out.append(plan)
    return out
