"""A whole labelling campaign in one process: the world's people, asked, combined, checked and held
by the same functions as on the platform."""

import random
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field

from annotation.quality.asking import ask_again
from annotation.quality.holding import Evidence, Verdict, judge
from annotation.quality.posterior import Beliefs, best
from annotation.quality.skills import Skill, fit
from annotation.quality.votes import Vote
from annotation.quality.world import ACCEPTER, CLASSES, HONEST, SPAMMER, World, majority

GOOD = 0.85  # an honest labeler from here on must never be held


@dataclass(frozen=True)
class Rules:
    """How a campaign is run. `model`: the model's calibrated score is one more vote."""

    model: bool = False
    target: float = 0.95
    most: int = 5
    floor: float = 0.75
    gold_rate: float = 0.08
    first_gold_rate: float = 0.25  # of the first FEW_GOLD
    refit_every: int = 150


FEW_GOLD = 10


@dataclass
class Person:
    """`gold` are the gold items not yet shown, `given` all answers by number."""

    name: str
    gold: list[int]
    gap: int = 0
    given: int = 0
    history: list[tuple[object, str]] = field(default_factory=list)  # (item, said), oldest first
    compared: list[Evidence] = field(default_factory=list)  # as of the last fit
    verdict: Verdict | None = None
    held_after: int | None = None


@dataclass(frozen=True)
class Outcome:
    accuracy: float
    answers_per_item: float
    trusted: float
    trusted_accuracy: float
    gold_answers: int
    held: dict[str, int]

    @property
    def wrongly_held(self) -> int:
        return sum(HONEST.get(name, 0.0) >= GOOD for name in self.held)


class Campaign:
    """Answers come one at a time from whoever is free, at random; the oldest item that wants an
    answer comes first, so second opinions come before new items."""

    def __init__(self, *, world: World, rules: Rules, seed: int) -> None:
        self.world, self.rules = world, rules
        self._draw = random.Random(f"campaign:{seed}")
        everything = range(len(world.gold))
        self.people = {
            name: Person(name, self._draw.sample(everything, len(everything)))
            for name in world.people
        }
        self.votes: dict[int, list[Vote]] = defaultdict(list)
        self.gold_votes: list[Vote] = []
        self.said: dict[int, set[str]] = defaultdict(set)
        self.open = dict.fromkeys(range(len(world.items)))
        self.skills: dict[str, Skill] = {}
        self.answers = 0
        self._fitted_at = 0
        for person in self.people.values():
            self._next_gap(person)
        self._refit()

    def run(self) -> Outcome:
        while True:
            while self._step():
                if self.answers - self._fitted_at >= min(
                    self._fitted_at + 30, self.rules.refit_every
                ):
                    self._refit()
            # What was sure enough under earlier skills may no longer be.
            if self.answers == self._fitted_at:
                return self.outcome()
            self._refit()

    def _step(self) -> bool:
        """One answer of somebody who is free and not held; False when nobody has anything to do."""
        free = [person for person in self.people.values() if person.held_after is None]
        self._draw.shuffle(free)
        for person in free:
            item = next((item for item in self.open if person.name not in self.said[item]), None)
            if item is None:
                continue
            if person.gap <= 0 and person.gold:
                self._answer_gold(person)
            else:
                self._answer(person, item)
            return True
        return False

    def _answer_gold(self, person: Person) -> None:
        number = person.gold.pop()
        item = self.world.gold[number]
        said = self.world.answer(person=person.name, item=item, name=f"gold {number}")
        person.given += 1
        person.history.append((f"gold {number}", said))
        person.compared.append(Evidence(said, {item.truth: 1.0}))
        self.gold_votes.append(Vote(f"gold {number}", person.name, said))
        self._next_gap(person)
        self._judge(person)

    def _next_gap(self, person: Person) -> None:
        shown = len(self.world.gold) - len(person.gold)
        few = shown < FEW_GOLD
        rate = self.rules.first_gold_rate if few else self.rules.gold_rate
        person.gap = self._draw.randint(0, round(2 * (1 / rate - 1)))

    def _answer(self, person: Person, number: int) -> None:
        item = self.world.items[number]
        said = self.world.answer(person=person.name, item=item, name=number)
        person.gap -= 1
        person.given += 1
        person.history.append((number, said))
        shown = "" if item.blind else item.proposal
        self.votes[number].append(Vote(number, person.name, said, shown=shown))
        self.said[number].add(person.name)
        self.answers += 1
        self._settle(number)

    def _belief(self, number: int) -> dict[str, float]:
        model = [self.world.model_vote(number=number)] if self.rules.model else []
        return self.beliefs.of([*self.votes[number], *model])

    def _settle(self, number: int) -> None:
        """Open or close an item by what is believed of it now."""
        wanted = ask_again(
            posterior=self._belief(number),
            answers=len(self.votes[number]),
            target=self.rules.target,
            most=self.rules.most,
        )
        if wanted:
            self.open[number] = None
        else:
            self.open.pop(number, None)

    def _refit(self) -> None:
        self._fitted_at = self.answers
        votes = [vote for group in self.votes.values() for vote in group] + self.gold_votes
        if self.rules.model:
            votes += [self.world.model_vote(number=n) for n, group in self.votes.items() if group]
        truths: dict[Hashable, str] = {
            f"gold {at}": item.truth for at, item in enumerate(self.world.gold)
        }
        fitted = fit(votes=votes, gold=truths, classes=CLASSES, before=self.skills)
        self.skills = fitted.skills
        self.beliefs = Beliefs(skills=self.skills, prior=fitted.prior)
        for person in self.people.values():
            if person.held_after is None:
                person.compared = [self._evidence(person, *line) for line in person.history]
                self._judge(person)
        for number, group in self.votes.items():
            if group:
                self._settle(number)
        self.open = dict.fromkeys(sorted(self.open))

    def _evidence(self, person: Person, name: object, said: str) -> Evidence:
        if not isinstance(name, int):
            return Evidence(said, {self.world.gold[int(str(name).split()[1])].truth: 1.0})
        item = self.world.items[name]
        shown = "" if item.blind else item.proposal
        votes = [*self.votes[name]]
        if shown or self.rules.model:
            votes.append(self.world.model_vote(number=name))
        return Evidence(said, self.beliefs.without(person.name, votes), shown)

    def _judge(self, person: Person) -> None:
        person.verdict = judge(
            evidence=person.compared, floor=self.rules.floor, classes=len(CLASSES)
        )
        if person.verdict.hold:
            self._hold(person, since=person.verdict.since)

    def _hold(self, person: Person, since: int) -> None:
        person.held_after = person.given
        for name, _said in person.history[since:]:
            if isinstance(name, int):
                self.votes[name] = [v for v in self.votes[name] if v.annotator != person.name]
                self._settle(name)

    def outcome(self) -> Outcome:
        decided = [best(self._belief(number)) for number in range(len(self.world.items))]
        right = [
            answer == item.truth
            for (answer, _), item in zip(decided, self.world.items, strict=True)
        ]
        sure = [good for good, (_, p) in zip(right, decided, strict=True) if p >= self.rules.target]
        return Outcome(
            accuracy=sum(right) / len(right),
            answers_per_item=self.answers / len(right),
            trusted=len(sure) / len(right),
            trusted_accuracy=sum(sure) / max(len(sure), 1),
            gold_answers=len(self.gold_votes),
            held={p.name: p.held_after for p in self.people.values() if p.held_after is not None},
        )


def triple(*, world: World, seed: int) -> Outcome:
    """The line to beat: three answers an item from whoever is free, the majority decides; no gold,
    nobody held."""
    draw = random.Random(f"campaign:{seed}")
    right = []
    for number, item in enumerate(world.items):
        people = draw.sample(world.people, 3)
        answers = [world.answer(person=name, item=item, name=number) for name in people]
        right.append(majority(answers) == item.truth)
    accuracy = sum(right) / len(right)
    return Outcome(accuracy, 3.0, 1.0, accuracy, 0, {})


MODES = ("people", "model", "majority3")
# Where the model's score counts, its proposal is shown for a tenth only: an answer given in sight
# of it cannot be combined with it. See docs/benchmarks.md, "Label quality".
SHOWN = {"people": 0.9, "model": 0.1, "majority3": 0.9}


def run(*, mode: str, seed: int, items: int = 1500, accepter_blind: float | None = None) -> Outcome:
    """One campaign of a mode."""
    guess = 1 / len(CLASSES) if accepter_blind is None else accepter_blind
    world = World(seed=seed, items=items, shown=SHOWN[mode], accepter_blind=guess)
    if mode == "majority3":
        return triple(world=world, seed=seed)
    return Campaign(world=world, rules=Rules(model=mode == "model"), seed=seed).run()


def figures(outcome: Outcome) -> dict:
    """An outcome as the command writes it; `…_held_after`: answers given, gold included, None if
    never held."""
    return {
        "accuracy": outcome.accuracy,
        "answers_per_item": outcome.answers_per_item,
        "spammer_held_after": outcome.held.get(SPAMMER),
        "accepter_held_after": outcome.held.get(ACCEPTER),
        "wrongly_held": outcome.wrongly_held,
        "held": outcome.held,
        "trusted": outcome.trusted,
        "trusted_accuracy": outcome.trusted_accuracy,
        "gold_answers": outcome.gold_answers,
    }
