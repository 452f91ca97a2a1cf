"""Labels as operations look at them: beside what was decided, the doubtful ones first."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import (
    Case,
    F,
    FilteredRelation,
    FloatField,
    Prefetch,
    Q,
    QuerySet,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from annotation import selectors
from annotation.cards import Card, label_cards
from annotation.models import Consensus, Label, ReturnedTask

# Boxes hardly ever coincide, and are not compared.
DIFFERS = (
    ~Q(answer=F("decided__answer"))
    | ~Q(variation=F("decided__variation"))
    | (Q(answer="brand") & ~Q(brand=F("decided__brand")))
)


def label_stream() -> QuerySet[Label]:
    """Labels in force with all that a card shows; `differs`: from the consensus; `doubt`: of the
    consensus from 0 to 1, and one more where the label differs from it."""
    open_returns = ReturnedTask.objects.filter(state=ReturnedTask.State.OPEN)
    sure = Coalesce("decided__posterior", "decided__agreement", 1.0, output_field=FloatField())
    return (
        selectors.labels()
        .select_related("held__hold")
        .prefetch_related(Prefetch("returns", open_returns, to_attr="open_returns"))
        .annotate(
            decided=FilteredRelation(
                "image__consensus", condition=Q(image__consensus__kind=F("kind"))
            ),
            differs=Case(When(Q(decided__isnull=False) & DIFFERS, then=True), default=False),
            doubt=Case(When(differs=True, then=2.0 - sure), default=1.0 - sure),
        )
    )


@dataclass(frozen=True)
class Row:
    """A label with its card and what was decided about its image."""

    label: Label
    card: Card
    consensus: Consensus | None
    differs: bool
    held: bool
    returned: ReturnedTask | None

    @property
    def consensus_text(self) -> str:
        return consensus_text(self.consensus) if self.consensus else ""


def rows(*, labels: Sequence[Label]) -> list[Row]:
    """Labels read by `label_stream`, for the page; two queries."""
    decided = {
        (row.image_id, row.kind): row
        for row in Consensus.objects.filter(
            image__in={label.image_id for label in labels}
        ).select_related("brand")
    }
    return [
        Row(
            label=label,
            card=card,
            consensus=decided.get((label.image_id, label.kind)),
            differs=label.differs,  # type: ignore[attr-defined]
            held=is_held(label),
            returned=next(iter(label.open_returns), None),  # type: ignore[attr-defined]
        )
        for label, card in zip(labels, label_cards(labels), strict=True)
    ]


def is_held(label: Label) -> bool:
    """Whether a label counts for nothing while somebody looks at its labeler's work."""
    held = getattr(label, "held", None)
    return held is not None and held.hold.released_at is None


def consensus_text(row: Consensus) -> str:
    """What was decided, in words."""
    if row.brand is not None:
        return str(row.brand)
    if row.answer:
        return _(row.get_answer_display())
    if row.variation:
        return _(row.get_variation_display())
    return _("boxes")
