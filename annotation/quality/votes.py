"""One answer, as the mathematics sees it."""

from collections.abc import Hashable
from dataclasses import dataclass

MODEL = "model"  # the annotator that is no person
NO_VOTE = frozenset({"", "unsure"})  # said, counted as an answer, but speaks for nothing


@dataclass(frozen=True, slots=True)
class Vote:
    """What one annotator said of one item.

    `answer` is a class: "brand:nike", "none", "other", "collage" … `score` is the model's
    calibrated probability of its answer, None for people. `shown` is the proposal that the person
    saw while answering, empty when they answered blind.
    """

    item: Hashable
    annotator: str
    answer: str
    score: float | None = None
    shown: str = ""


def countable(votes: list[Vote]) -> list[Vote]:
    """The votes that may be combined: the model's own only where every person answered blind, for
    where its proposal was seen it would count twice."""
    seen = {vote.item for vote in votes if vote.shown}
    return [
        vote
        for vote in votes
        if vote.answer not in NO_VOTE and not (vote.annotator == MODEL and vote.item in seen)
    ]
