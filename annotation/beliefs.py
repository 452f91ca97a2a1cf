"""What the answers of several people to one question come to."""

from collections.abc import Sequence

from django.conf import settings

from annotation.consensus import COPIED, Decision
from annotation.models import Consensus, Label, Task
from annotation.quality.boxes import SIDES, Seen, disagreement, merge
from annotation.quality.posterior import posterior
from annotation.quality.votes import NO_VOTE, Vote
from annotation.voices import Book, class_of, model_vote, vote_of
from annotation.voters import annotator_of, is_verdict, voters_of


def decide(labels: Sequence[Label], book: Book) -> Decision:
    """The consensus of one image's labels that count (at least one, all of one kind, oldest first,
    with task, brand and image)."""
    voters = voters_of(labels)
    if is_verdict(voters[-1]):
        return Decision(_row(voters[-1], voters=voters, agreement=1.0, posterior=1.0))
    votes = [vote_of(label) for label in voters]
    said = {vote.answer for vote in votes} - NO_VOTE
    if not said:
        return Decision(_row(voters[-1], voters=voters, agreement=1.0, posterior=None))
    chances = _chances(voters, votes, book)
    best = max(sorted(said), key=lambda answer: chances[answer])
    winners = [label for label in voters if class_of(label) == best]
    row = _row(
        winners[-1],
        voters=voters,
        agreement=len(winners) / len(voters),
        posterior=chances.pop(best),
    )
    if row.kind == Task.Kind.BOXES and len(voters) > 1:
        _merge_boxes(row, voters, winners, book)
    return Decision(row, agreed=len(said) == 1, next_best=max(chances.values(), default=0.0))


def _chances(voters: Sequence[Label], votes: list[Vote], book: Book) -> dict[str, float]:
    if settings.MODEL_VOTES and (vote := model_vote(voters)):
        votes = [*votes, vote]
    elif len(votes) == 1 and not votes[0].shown:
        return book.of_one(votes[0])
    return posterior(votes=votes, skills=book.of(votes), prior=book.prior)


def _merge_boxes(
    row: Consensus, voters: Sequence[Label], winners: Sequence[Label], book: Book
) -> None:
    """Average what coincides; how far people's boxes differ is kept as the agreement."""

    def seen(label: Label) -> Seen:
        annotator = annotator_of(label)
        return Seen(annotator, label.boxes or [], book.skill(annotator).accuracy)

    answered = [seen(label) for label in voters if class_of(label) not in NO_VOTE]
    row.agreement = 1.0 - disagreement(seen=answered)
    merged = merge(seen=[seen(label) for label in winners])
    boxes = [
        {**{side: round(box[side], 2) for side in SIDES}, "brand": box["brand"]}
        for box in merged.boxes
    ]
    # Where nothing coincides, the last answer stands until more is known.
    row.boxes = boxes or row.boxes


def _row(
    winner: Label, *, voters: Sequence[Label], agreement: float, posterior: float | None
) -> Consensus:
    return Consensus(
        image_id=winner.image_id,
        kind=winner.kind,
        votes=len(voters),
        agreement=agreement,
        posterior=posterior,
        trusted=False,
        decided_by=winner,
        **{name: getattr(winner, name) for name in COPIED},
    )
