"""What a person is judged by: their answers to gold items, and what others say of the items they
answered."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib.auth.models import User

from annotation import gold_answers
from annotation.consensus import labels_in_force
from annotation.models import GoldItem, Label, Task
from annotation.models.image import TEST_SPLITS
from annotation.quality.holding import Evidence
from annotation.quality.posterior import posterior
from annotation.quality.votes import MODEL, NO_VOTE, Vote
from annotation.voices import Book, class_of, proposed_class, truth_of, vote_of

LATEST = 400  # answers of a person that are looked at
RIGHT = "right"


@dataclass(frozen=True)
class Piece:
    """One answer with what speaks for and against it, and when it was given."""

    evidence: Evidence
    at: datetime


def of_person(*, user: User, kind: str, since: datetime | None) -> list[Piece]:
    """A person's answers of one kind given after `since`, oldest first."""
    book = Book(kind=kind)
    gold = gold_answers.of_person(user=user, kind=kind, since=since)
    pieces = [
        Piece(_known(answer.label, answer.gold, answer.right), answer.at)
        for answer in gold
        if answer.right is not None
    ]
    pieces += _compared(user, kind, since, book)
    return sorted(pieces, key=lambda piece: piece.at)[-LATEST:]


def _known(label: Label, gold: GoldItem, right: bool) -> Evidence:
    said = class_of(label)
    if gold.kind == Task.Kind.BOXES:  # of the right brand, and yet in the wrong place
        return Evidence(said, {said if right else RIGHT: 1.0})
    return Evidence(said, {truth_of(gold): 1.0})


def _compared(user: User, kind: str, since: datetime | None, book: Book) -> list[Piece]:
    mine = labels_in_force(image_ids=_answered_by_others(user, kind, since), kind=kind)
    by_image: dict[int, list[Label]] = defaultdict(list)
    for label in mine:
        by_image[label.image_id].append(label)
    pieces = []
    for labels in by_image.values():
        own = [label for label in labels if label.by_id == user.pk][-1:]
        others = [label for label in labels if label.by_id != user.pk]
        if own and others and class_of(own[0]) not in NO_VOTE:
            pieces.append(_against(own[0], others, book))
    return pieces


def _answered_by_others(user: User, kind: str, since: datetime | None) -> list[int]:
    own = Label.objects.filter(
        by=user, kind=kind, source=Label.Source.LABELER, superseded_by__isnull=True
    )
    if since is not None:
        own = own.filter(created_at__gt=since)
    recent = list(own.order_by("-pk").values_list("image_id", flat=True)[:LATEST])
    shared = Label.objects.filter(image_id__in=recent, kind=kind).exclude(by=user)
    return sorted(set(shared.values_list("image_id", flat=True)))


def _against(own: Label, others: Sequence[Label], book: Book) -> Piece:
    votes = [vote_of(label) for label in others]
    shown = vote_of(own).shown
    if shown and own.image.split not in TEST_SPLITS:
        # Whoever agrees with a good model is no follower of it: the belief holds its word too.
        votes = [replace(vote, shown="") for vote in votes]
        votes.append(Vote(own.image_id, MODEL, proposed_class(own.task), score=_score(own.task)))
    audits = [label for label in others if label.source == Label.Source.AUDIT]
    if audits:
        truth = {class_of(audits[-1]): 1.0}
    else:
        truth = posterior(votes=votes, skills=book.of(votes), prior=book.prior)
    return Piece(Evidence(class_of(own), truth, shown=shown), own.created_at)


def _score(task: Task | None) -> float | None:
    return task.proposal.get("score") if task and task.kind == Task.Kind.BRAND else None
