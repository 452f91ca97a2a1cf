"""The people, items and model of the simulation: what is true, and who says what of it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from annotation.quality.votes import MODEL, Vote

BRANDS = tuple(f"brand:{number:02d}" for number in range(12))
NONE = "none"
CLASSES = (*BRANDS, NONE)
NONE_SHARE = 0.28  # the twelve brands are equally frequent
PRIOR = {brand: (1 - NONE_SHARE) / len(BRANDS) for brand in BRANDS} | {NONE: NONE_SHARE}
LOOK_ALIKE = 0.5  # of the mistakes on a brand
FOLLOWED = 0.3  # of the mistakes in sight of a wrong proposal
HONEST = {"p95": 0.95, "p90": 0.90, "p85": 0.85, "p80": 0.80, "p70": 0.70}
SPAMMER, ACCEPTER = "spammer", "accepter"
SCORE = (2.8, 1.2)  # Beta of the model's scores: right 70 times in 100, as often as each score says


@dataclass(frozen=True)
class Item:
    """`proposal` and `score` are the model's; `blind`: nobody is shown them."""

    truth: str
    proposal: str
    score: float
    blind: bool


class World:
    """Items and the people's answers, drawn by `seed`; each answer depends on the person and the
    item only, whatever the order. `shown` is the share of items whose proposal is in sight.
    `accepter_blind` is how often the accepter is right where there is nothing to accept; 1/13, a
    guess, is the lazy one."""

    def __init__(
        self,
        *,
        seed: int,
        items: int = 1500,
        gold: int = 150,
        shown: float = 0.9,
        accepter_blind: float = 1 / len(CLASSES),
    ) -> None:
        self._seed = seed
        draw = random.Random(f"world:{seed}")
        self.items = [_item(draw, blind=draw.random() >= shown) for _ in range(items)]
        self.gold = [_item(draw, blind=True) for _ in range(gold)]
        self.people = (*HONEST, SPAMMER, ACCEPTER)
        self._accepter_blind = accepter_blind

    def answer(self, *, person: str, item: Item, name: object) -> str:
        """What a person says of the item of this name."""
        draw = random.Random(f"{self._seed}:{person}:{name}")
        if person == SPAMMER:
            return draw.choice(CLASSES)
        if person == ACCEPTER:
            if not item.blind:
                return item.proposal
            return mistaken(draw, item.truth, self._accepter_blind)
        if draw.random() < HONEST[person]:
            return item.truth
        wrong = item.proposal != item.truth
        if not item.blind and wrong and draw.random() < FOLLOWED:
            return item.proposal
        return mistaken(draw, item.truth, 0.0)

    def model_vote(self, *, number: int) -> Vote:
        item = self.items[number]
        return Vote(item=number, annotator=MODEL, answer=item.proposal, score=item.score)


def _item(draw: random.Random, *, blind: bool) -> Item:
    truth = draw.choices(CLASSES, weights=[PRIOR[name] for name in CLASSES])[0]
    score = draw.betavariate(*SCORE)
    return Item(truth, mistaken(draw, truth, score), score, blind)


def mistaken(draw: random.Random, truth: str, accuracy: float) -> str:
    """The truth, or else half of the time a brand's look-alike and otherwise any other answer."""
    if draw.random() < accuracy:
        return truth
    twin = look_alike(truth)
    if twin and draw.random() < LOOK_ALIKE:
        return twin
    return draw.choice([name for name in CLASSES if name not in (truth, twin)])


def look_alike(truth: str) -> str:
    """Brands come in pairs; "none" looks like nothing."""
    return BRANDS[BRANDS.index(truth) ^ 1] if truth in BRANDS else ""


def majority(answers: Sequence[str]) -> str:
    """What most say; among equals the first said."""
    return max(dict.fromkeys(answers), key=answers.count)
