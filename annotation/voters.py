"""Whose answers to a question count, and who speaks in them."""

from collections.abc import Sequence

from annotation.models import Label
from annotation.models.label import Answer
from annotation.opinions import ASKED_AGAIN


def voters_of(labels: Sequence[Label]) -> list[Label]:
    """Whose answers are combined: a reviewer's last verdict alone, where there is one; else each
    person's last word. Once people were asked again because the guideline changed, what was said
    before counts no more."""
    if verdicts := [label for label in labels if is_verdict(label)]:
        return verdicts[-1:]
    asked = [
        label.task.created_at
        for label in labels
        if label.task is not None and label.task.strategy == ASKED_AGAIN
    ]
    since = max(asked, default=None)
    last = {
        annotator_of(label): label for label in labels if since is None or label.created_at >= since
    }
    return sorted(last.values(), key=lambda label: label.pk)


def is_verdict(label: Label) -> bool:
    """Whether a reviewer decided; one who is not sure settles nothing."""
    return label.source == Label.Source.AUDIT and label.answer != Answer.UNSURE


def annotator_of(label: Label) -> str:
    """Who speaks: a person, an import, or somebody Label Studio could not name."""
    if label.source == Label.Source.IMPORT:
        return "import"
    return str(label.by_id) if label.by_id else f"label {label.pk}"
