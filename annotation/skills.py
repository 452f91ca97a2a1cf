"""The periodic fit: how well everybody answers, over all answers there are."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max

from annotation import consensus, gold_answers, holds, opinions
from annotation.models import AnnotatorSkill, Consensus, Label, Task

if TYPE_CHECKING:  # loading the library behind it takes seconds
    from annotation.quality.skills import Skill

RECENT = 20_000  # answers of a kind that are fitted: older ones say little about people today
DOUBTED = 2_000  # images decided anew after a fit


def tend() -> None:
    """What beat asks for every minute: fit, judge, and close what nobody is left to answer."""
    for kind in Task.Kind.values:
        if is_stale(kind=kind):
            refit(kind=kind)
    holds.check_everybody()
    for kind in Task.Kind.values:
        consensus.refresh(image_ids=opinions.waiting_images(kind=kind), kind=kind)


def is_stale(*, kind: str) -> bool:
    """Whether anything was answered since the last fit."""
    last = Label.objects.filter(kind=kind, by__isnull=False).aggregate(at=Max("created_at"))["at"]
    fitted = AnnotatorSkill.objects.filter(kind=kind).aggregate(at=Max("fitted_at"))["at"]
    return last is not None and (fitted is None or last > fitted)


def refit(*, kind: str) -> int:
    """Fit everybody's skills and the classes' shares, and decide anew what is in doubt. Returns how
    many annotators there are."""
    from annotation.quality.skills import fit, newcomer
    from annotation.quality.votes import MODEL
    from annotation.voices import PRIOR, Book, classes_of

    votes, gold = _votes(kind)
    if not votes:
        return 0
    classes = classes_of(kind)
    book = Book(kind=kind)
    fitted = fit(votes=votes, gold=gold, classes=classes, before=book.skills)
    skills = {name: skill for name, skill in fitted.skills.items() if name.isdecimal()}
    rows = [_row(int(name), kind, skill) for name, skill in skills.items()]
    model = _row(None, kind, fitted.skills.get(MODEL) or newcomer(classes=classes))
    model.confusion[PRIOR] = fitted.prior
    with transaction.atomic():
        AnnotatorSkill.objects.bulk_create(
            [*rows, model],
            update_conflicts=True,
            unique_fields=["user", "kind"],
            update_fields=["accuracy", "low", "high", "answers", "confusion", "fitted_at"],
        )
    doubted = Consensus.objects.filter(kind=kind, trusted=False).order_by("-updated_at")
    doubtful = list(doubted.values_list("image_id", flat=True)[:DOUBTED])
    consensus.refresh(image_ids=doubtful, kind=kind)
    return len(rows)


def _row(user_id: int | None, kind: str, skill: "Skill") -> AnnotatorSkill:
    from annotation.voices import FOLLOWS

    return AnnotatorSkill(
        user_id=user_id,
        kind=kind,
        accuracy=skill.accuracy,
        low=skill.low,
        high=skill.high,
        answers=round(skill.answers),
        confusion={**skill.confusion, FOLLOWS: skill.follows},
    )


def _votes(kind: str) -> tuple[list, dict]:
    """All recent votes, the model's among them, with what is known for sure: gold answers by
    (image, "gold"), and images that operations decided."""
    from annotation.quality.votes import NO_VOTE, Vote
    from annotation.voices import class_of, model_vote, truth_of, vote_of

    people = Label.objects.filter(kind=kind, source=Label.Source.LABELER, by__isnull=False)
    recent = people.order_by("-pk").values_list("image_id", flat=True)[:RECENT]
    by_image: dict[int, list[Label]] = defaultdict(list)
    for label in consensus.labels_in_force(image_ids=sorted(set(recent)), kind=kind):
        by_image[label.image_id].append(label)
    votes: list[Vote] = []
    known: dict = {}
    for image_id, labels in by_image.items():
        said = {vote.annotator: vote for vote in map(vote_of, _people(labels))}
        votes += said.values()
        model = model_vote(_people(labels)) if said else None
        votes += [model] if model else []
        audits = [label for label in labels if label.source == Label.Source.AUDIT]
        if audits and class_of(audits[-1]) not in NO_VOTE:
            known[image_id] = class_of(audits[-1])
    for answer in gold_answers.read(gold_answers.labels(kind=kind)):
        item = (answer.gold.pk, "gold")
        vote, truth = vote_of(answer.label), truth_of(answer.gold)
        answered = vote.answer
        if answer.right is False and answered == truth:
            answered = "none"  # boxes of the right brand in the wrong place: as good as none
        votes.append(Vote(item, vote.annotator, answered))
        known[item] = truth
    return votes, known


def _people(labels: Sequence[Label]) -> list[Label]:
    return [label for label in labels if label.source == Label.Source.LABELER]
