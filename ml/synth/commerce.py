"""Merchants, their licences, prices, and the risk that follows from them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from ml.synth.brands import Brand
from ml.synth.plan import Plan

TODAY = date(2026, 6, 30)
# Misses found since then are the business set; those found before may train.
CUT_OFF = datetime(2026, 4, 1, tzinfo=UTC)
_SHOPS = ("Trading", "Fashion Store", "优选店", "Outlet", "百货", "Select", "潮品屋", "Direct")
_BASE_PRICE = {
    "shoe": 320.0, "shirt": 120.0, "bag": 420.0, "cap": 90.0, "watch": 900.0, "backpack": 260.0,
    "mug": 60.0, "phone_case": 70.0,
}  # fmt: skip


@dataclass(frozen=True)
class Licence:
    """Brand index, first and last day."""

    brand: int
    valid_from: date
    valid_to: date

    @property
    def valid(self) -> bool:
        return self.valid_from <= TODAY <= self.valid_to


@dataclass(frozen=True)
class Merchant:
    key: str
    name: str
    licences: tuple[Licence, ...]

    def licensed(self, brand: int) -> bool:
        return any(licence.brand == brand and licence.valid for licence in self.licences)


@dataclass(frozen=True)
class Offer:
    """Who sells it, for how much, and the risk: counterfeit | infringement | smear | knock_off |
    None."""

    merchant: str
    price: float
    licensed: bool | None
    risk: str | None


def make_merchants(brands: list[Brand], seed: int) -> list[Merchant]:
    """A flagship store for each listed brand, resellers of one to three, and shops without any
    licence; one reseller's licence in six has run out."""
    rng = np.random.default_rng([seed, 4])
    listed = [i for i, brand in enumerate(brands) if brand.listed]
    always = (date(2022, 1, 1), date(2028, 12, 31))
    merchants = [
        Merchant(f"m{i:04d}", f"{brands[i].name_zh}官方旗舰店", (Licence(i, *always),))
        for i in listed
    ]
    for number in range(len(listed), 4 * len(listed)):
        licences: list[Licence] = []
        if number < 2 * len(listed):
            sells = rng.choice(listed, min(len(listed), int(rng.integers(1, 4))), replace=False)
            for brand in sells.tolist():
                last = date(2025, 3, 31) if rng.random() < 1 / 6 else date(2027, 12, 31)
                licences.append(Licence(brand, date(2023, 5, 1), last))
        name = f"{_SHOPS[number % len(_SHOPS)]} {number:03d}"
        merchants.append(Merchant(f"m{number:04d}", name, tuple(licences)))
    return merchants


def make_offer(
    rng: np.random.Generator, plan: Plan, brands: list[Brand], merchants: list[Merchant], kind: str
) -> Offer:
    """Who offers a picture's product. Catalogue goods come mostly from licensed merchants, online
    ones mostly not, attacks and missed cases never."""
    price = _BASE_PRICE[kind] * float(rng.lognormal(0.0, 0.3))
    if plan.brand is None or not brands[plan.brand].listed:
        merchant = merchants[rng.integers(len(merchants))]
        return Offer(merchant.key, round(price * 0.5, 2), None, None)
    chance = {"train": 0.8, "detection": 0.8, "pool": 0.4, "open": 0.4}.get(plan.folder, 0.5)
    if plan.attack is not None or plan.folder in ("business", "audit"):
        chance = 0.0
    licensed = rng.random() < chance
    able = [m for m in merchants if m.licensed(plan.brand) == licensed]
    merchant = able[rng.integers(len(able))]
    if licensed:
        return Offer(merchant.key, round(price, 2), True, None)
    if plan.attack in ("smear", "cover"):
        return Offer(merchant.key, round(price * 0.4, 2), False, "smear")
    if plan.attack == "knock_off":
        return Offer(merchant.key, round(price * 0.3, 2), False, "knock_off")
    if rng.random() < 0.35:
        return Offer(merchant.key, round(price * 0.08, 2), False, "counterfeit")
    return Offer(merchant.key, round(price * 0.7, 2), False, "infringement")


def audited_at(rng: np.random.Generator) -> datetime:
    """When an audit labelled a missed risk: a day in the half year before CUT_OFF."""
    return CUT_OFF - timedelta(days=int(rng.integers(1, 183)))
