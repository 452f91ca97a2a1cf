"""Reads of the annotators' pages: who needs help. A bounded number of queries, however many
people and answers."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Aggregate, Count, F, FilteredRelation, FloatField, Max, Q
from django.db.models.functions import ExtractHour
from django.utils import timezone

from annotation import gold_answers
from annotation.gold_answers import GoldAnswer
from annotation.models import (
    AnnotatorSkill,
    Assignment,
    Brand,
    Consensus,
    Hold,
    Label,
    ReturnedTask,
    Task,
    TestAttempt,
)
from annotation.selectors import IN_FORCE
from ml.evaluate.intervals import Figure, wilson

LATELY = timedelta(days=28)
BLOCK = 10  # gold answers a point of the drift
MATRIX = 10  # classes shown of a confusion, the most answered first
SAID = ~Q(answer="unsure")


class Median(Aggregate):
    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()
    allow_distinct = False


@dataclass
class Annotator:
    """One person's row: figures of four weeks, and of gold answers ever. `skills` are the fitted
    ones by kind."""

    user: User
    labels: int = 0
    unsure: int = 0
    seconds: float | None = None
    last_at: datetime | None = None
    compared: int = 0
    agreed: int = 0
    gold: Figure | None = None
    returned: int = 0
    held_labels: int = 0
    holds: list[Hold] = field(default_factory=list)
    skills: list[AnnotatorSkill] = field(default_factory=list)
    drift: Sequence[tuple[str, Figure]] = ()

    @property
    def agreement(self) -> Figure | None:
        return wilson(self.agreed, self.compared)


@dataclass(frozen=True)
class Matrix:
    """What was said of what: `rows` [(truth, [(share, count, said)…])] over `names`."""

    names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[float, int, str]]]]
    total: int


def open_holds() -> list[Hold]:
    return list(Hold.objects.filter(released_at__isnull=True).select_related("user"))


def annotators(*, kind: str = "") -> list[Annotator]:
    """Everybody who has labelled, was handed a task or is held; the held first, then by accuracy
    on gold, the worst first."""
    people: dict[int, Annotator] = {
        user.pk: Annotator(user) for user in User.objects.filter(pk__in=_ids()).order_by("username")
    }
    of_kind = {"kind": kind} if kind else {}
    for row in _answers(of_kind):
        person = people[row["by"]]
        person.labels, person.unsure = row["n"], row["unsure"]
        person.seconds, person.last_at = row["seconds"], row["last_at"]
        person.compared, person.agreed = row["compared"], row["agreed"]
    gold = defaultdict(list)
    for answer in gold_answers.read(gold_answers.labels(kind=kind or None)):
        gold[answer.label.by_id or 0].append(answer)
    for pk, answers in gold.items():
        people[pk].gold, people[pk].drift = accuracy(answers), drift(answers)
    for hold in Hold.objects.filter(released_at__isnull=True, **of_kind).annotate(
        n=Count("labels")
    ):
        people[hold.user_id].holds.append(hold)
        people[hold.user_id].held_labels += hold.n
    for skill in AnnotatorSkill.objects.filter(user__in=people, **of_kind):
        people[skill.user_id or 0].skills.append(skill)
    sent_back = ReturnedTask.objects.filter(reason=ReturnedTask.Reason.SENT_BACK)
    for pk, n in sent_back.order_by().values_list("to").annotate(n=Count("pk")):
        if pk in people:
            people[pk].returned = n
    return sorted(
        people.values(),
        key=lambda one: (not one.holds, one.gold.value if one.gold else 2, -one.labels),
    )


def _ids() -> set[int]:
    labelled = Label.objects.filter(source=Label.Source.LABELER, by__isnull=False)
    handed = Assignment.objects.order_by().values_list("to", flat=True).distinct()
    held = Hold.objects.order_by().values_list("user", flat=True).distinct()
    return {*labelled.order_by().values_list("by", flat=True).distinct(), *handed, *held}


def _answers(of_kind: dict[str, str]) -> Any:
    """Of the last four weeks, by person; agreement with what several people came to."""
    settled = Q(decided__trusted=True, decided__votes__gte=2) & SAID
    same = Q(decided__answer=F("answer"), decided__variation=F("variation")) & (
        Q(decided__brand=F("brand")) | Q(decided__brand__isnull=True, brand__isnull=True)
    )
    since = timezone.now() - LATELY
    labels = Label.objects.filter(
        IN_FORCE, source=Label.Source.LABELER, by__isnull=False, created_at__gte=since, **of_kind
    ).exclude(task__is_gold=True)
    return (
        labels.annotate(
            decided=FilteredRelation(
                "image__consensus", condition=Q(image__consensus__kind=F("kind"))
            )
        )
        .order_by()
        .values("by")
        .annotate(
            n=Count("pk"),
            unsure=Count("pk", filter=~SAID),
            seconds=Median("seconds"),
            last_at=Max("created_at"),
            compared=Count("pk", filter=settled),
            agreed=Count("pk", filter=settled & same),
        )
    )


def accuracy(answers: Sequence[GoldAnswer]) -> Figure | None:
    """The share of gold items answered rightly, "not sure" apart."""
    told = [answer.right for answer in answers if answer.right is not None]
    return wilson(sum(told), len(told))


def drift(answers: Sequence[GoldAnswer]) -> list[tuple[str, Figure]]:
    """The accuracy on gold in blocks of ten, oldest first."""
    told = [answer for answer in answers if answer.right is not None]
    blocks = [told[i : i + BLOCK] for i in range(0, len(told), BLOCK)]
    points = [(f"{block[0].at:%m-%d}", accuracy(block)) for block in blocks]
    return [(name, figure) for name, figure in points if figure is not None]


@dataclass(frozen=True)
class Person:
    """All of one annotator."""

    row: Annotator
    gold_by_brand: Sequence[tuple[str, str, Figure]]  # kind, brand or answer, share right
    against_gold: Matrix | None
    against_consensus: Matrix | None
    hours: Sequence[tuple[str, float]]
    holds: Sequence[Hold]
    tests: Sequence[TestAttempt]
    returned: Sequence[ReturnedTask]


def person(*, user: User) -> Person:
    """One annotator's page."""
    row = next((one for one in annotators() if one.user == user), Annotator(user))
    gold = gold_answers.read(gold_answers.labels().filter(by=user))
    by_brand: dict[tuple[str, str], list[GoldAnswer]] = defaultdict(list)
    for answer in gold:
        item = answer.gold
        name = str(item.brand) if item.brand else item.answer or item.variation or "–"
        by_brand[item.kind, name].append(answer)
    brands = [(kind, name, accuracy(rows)) for (kind, name), rows in sorted(by_brand.items())]
    names = dict(Brand.objects.values_list("key", "name_en"))
    return Person(
        row=row,
        gold_by_brand=[(kind, name, figure) for kind, name, figure in brands if figure],
        against_gold=_matrix(_gold_pairs(gold), names),
        against_consensus=_matrix(_consensus_pairs(user), names),
        hours=_hours(user),
        holds=list(
            Hold.objects.filter(user=user).select_related("released_by").annotate(n=Count("labels"))
        ),
        tests=list(TestAttempt.objects.filter(user=user).select_related("group")[:20]),
        returned=list(
            ReturnedTask.objects.filter(to=user, reason=ReturnedTask.Reason.SENT_BACK)
            .select_related("returned_by")
            .order_by("-pk")[:10]
        ),
    )


def _said(label: Any) -> str:
    return label.brand.key if label.brand else label.answer


def _gold_pairs(gold: Sequence[GoldAnswer]) -> Counter[tuple[str, str]]:
    brand = [answer for answer in gold if answer.gold.kind == Task.Kind.BRAND]
    return Counter((_said(answer.gold), _said(answer.label)) for answer in brand)


def _consensus_pairs(user: User) -> Counter[tuple[str, str]]:
    mine = Label.objects.filter(IN_FORCE, by=user, kind=Task.Kind.BRAND)
    said = {
        image: brand or answer
        for image, brand, answer in mine.exclude(task__is_gold=True)
        .order_by("pk")
        .values_list("image", "brand__key", "answer")
    }
    decided = Consensus.objects.filter(
        kind=Task.Kind.BRAND, trusted=True, votes__gte=2, image__in=list(said)
    )
    return Counter(
        (brand or answer, said[image])
        for image, brand, answer in decided.values_list("image", "brand__key", "answer")
    )


def _matrix(pairs: Counter[tuple[str, str]], names: dict[str, str]) -> Matrix | None:
    """The classes with the most mistakes, then with the most answers."""
    if not pairs:
        return None
    weight: Counter[str] = Counter()
    for (truth, said), n in pairs.items():
        wrong = n if truth != said else 0
        weight[truth] += n + 1000 * wrong
        weight[said] += 1000 * wrong
    keys = sorted(key for key, _n in weight.most_common(MATRIX))
    totals = Counter[str]()
    for (truth, _), n in pairs.items():
        totals[truth] += n
    rows = [
        (
            names.get(truth, truth),
            [
                (pairs[truth, said] / totals[truth] if totals[truth] else 0.0,
                 pairs[truth, said], names.get(said, said))
                for said in keys
            ],
        )
        for truth in keys
    ]  # fmt: skip
    return Matrix([names.get(key, key) for key in keys], rows, sum(pairs.values()))


def _hours(user: User) -> list[tuple[str, float]]:
    """Median seconds an answer by hour of the day, of four weeks."""
    since = timezone.now() - LATELY
    rows = (
        Label.objects.filter(IN_FORCE, by=user, seconds__isnull=False, created_at__gte=since)
        .annotate(hour=ExtractHour("created_at"))
        .order_by()
        .values("hour")
        .annotate(median=Median("seconds"))
    )
    return sorted((f"{row['hour']:02}:00", row["median"]) for row in rows)
