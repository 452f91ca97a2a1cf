"""Labels as the mathematics of `annotation.quality` sees them: who said which class of what."""

from collections.abc import Iterable, Mapping, Sequence

from annotation.models import AnnotatorSkill, Brand, GoldItem, Label, Task
from annotation.models.image import TEST_SPLITS
from annotation.models.label import Answer, Variation
from annotation.quality.posterior import posterior
from annotation.quality.skills import Skill, newcomer
from annotation.quality.votes import MODEL, Vote
from annotation.voters import annotator_of

# Where the model's own word never counts: these measure it, or people.
UNTOUCHED = frozenset({"random_control", "probe", "gold"})
# Beside the confusions of the model's row: what holds for the kind as a whole, and for a person.
PRIOR = "~prior"
FOLLOWS = "~follows"


class Book:
    """The skills of everybody who answers one kind of task, and the shares of its classes."""

    def __init__(self, *, kind: str) -> None:
        rows = list(AnnotatorSkill.objects.filter(kind=kind))
        self.kind = kind
        self.skills = {annotator_of_user(row.user_id): skill_of(row) for row in rows}
        stored: Mapping[str, float] = next(
            (row.confusion.get(PRIOR, {}) for row in rows if row.user_id is None), {}
        )
        classes = classes_of(kind)
        even = 1 / len(classes)
        # A class the last fit did not know is as likely as the rarest it knew.
        rarest = min(stored.values(), default=even)
        shares = {name: stored.get(name, rarest) for name in classes}
        total = sum(shares.values())
        self.prior = {name: share / total for name, share in shares.items()}
        self._newcomer = newcomer(classes=classes)
        self._alone: dict[tuple[str, str], dict[str, float]] = {}

    def skill(self, annotator: str) -> Skill:
        return self.skills.get(annotator, self._newcomer)

    def of_one(self, vote: Vote) -> dict[str, float]:
        """P(answer) after a single blind vote: an import brings the same ones by the thousand."""
        said = (vote.annotator if vote.annotator in self.skills else "", vote.answer)
        if said not in self._alone:
            self._alone[said] = posterior(votes=[vote], skills=self.of([vote]), prior=self.prior)
        return dict(self._alone[said])

    def of(self, votes: Sequence[Vote]) -> dict[str, Skill]:
        """The skills of those who voted."""
        return {vote.annotator: self.skill(vote.annotator) for vote in votes}


def classes_of(kind: str) -> list[str]:
    if kind == Task.Kind.VARIATION:
        return list(Variation.values)
    listed = Brand.objects.filter(state=Brand.State.LISTED).order_by("pk")
    keys = [f"brand:{key}" for key in listed.values_list("key", flat=True)]
    return [*keys, "none", "other"] if kind == Task.Kind.BRAND else [*keys, "none"]


def class_of(label: Label) -> str:
    """What a label says, as one class; empty or "unsure" speaks for nothing. Boxes hardly ever
    coincide: whether there are any, and of which brand, can be voted on."""
    if label.answer == Answer.UNSURE:
        return "unsure"
    if label.kind == Task.Kind.VARIATION:
        return label.variation
    if label.kind == Task.Kind.BOXES:
        brands = sorted({str(box["brand"]) for box in label.boxes or []})
        return "brand:" + "+".join(brands) if brands else "none"
    return f"brand:{label.brand.key}" if label.brand else label.answer


def truth_of(gold: GoldItem) -> str:
    """The right answer of a gold item, as a class."""
    if gold.kind == Task.Kind.VARIATION:
        return gold.variation
    if gold.kind == Task.Kind.BOXES:
        brands = sorted({str(box["brand"]) for box in gold.boxes or []})
        return "brand:" + "+".join(brands) if brands else "none"
    return f"brand:{gold.brand.key}" if gold.brand else gold.answer


def proposed_class(task: Task | None) -> str:
    """What the model proposed, as a class; empty when it said nothing that can be voted on."""
    proposal = task.proposal if task else {}
    if task is None or task.kind == Task.Kind.BOXES:
        return ""
    if task.kind == Task.Kind.VARIATION:
        return proposal.get("variation") or ""
    if proposal.get("answer") == Answer.NONE:
        return "none"
    return f"brand:{proposal['brand']}" if proposal.get("brand") else ""


def annotator_of_user(user_id: int | None) -> str:
    return MODEL if user_id is None else str(user_id)


def vote_of(label: Label) -> Vote:
    shown = proposed_class(label.task) if label.proposal_shown else ""
    return Vote(label.image_id, annotator_of(label), class_of(label), shown=shown)


def model_vote(labels: Iterable[Label]) -> Vote | None:
    """The model's word on an image whose labels these are (with task and image); None where people
    saw it, or where it is what is being measured."""
    labels = list(labels)
    tasks = [label.task for label in labels if label.task is not None]
    if not tasks or any(label.proposal_shown for label in labels):
        return None
    if any(task.strategy in UNTOUCHED or task.is_gold for task in tasks):
        return None
    if labels[0].image.split in TEST_SPLITS:
        return None
    said = proposed_class(tasks[-1])
    score = tasks[-1].proposal.get("score") if said.startswith("brand:") else None
    return Vote(labels[0].image_id, MODEL, said, score=score) if said else None


def skill_of(row: AnnotatorSkill) -> Skill:
    own = {truth: said for truth, said in row.confusion.items() if not truth.startswith("~")}
    follows = row.confusion.get(FOLLOWS)
    extra = {} if follows is None else {"follows": follows}
    return Skill(row.accuracy, row.low, row.high, row.answers, own, **extra)
