"""What measures are called, how their figures read, and what to do about them."""

from dataclasses import dataclass

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from active_learning.models import Alert, Measure, ModelKind

HOURS = (Measure.QUEUE_AGE, Measure.ANSWER_TIME)
SHARES = (Measure.FLAG_RATIO, Measure.OVERRIDE_RATE)

QUEUES = {
    "tasks": gettext_lazy("tasks before labelers"),
    "questions": gettext_lazy("open questions"),
    "flags": gettext_lazy("flags nobody has looked at"),
    "training": gettext_lazy("queued trainings"),
    "scan": gettext_lazy("images not scanned"),
    "outbox": gettext_lazy("outbox to Label Studio"),
    "inbox": gettext_lazy("inbox from Label Studio"),
}
MEANINGS = {
    Measure.SCORE_STABILITY: gettext_lazy(
        "How differently fresh images spread over the scores; above 0.25 is a major shift."
    ),
    Measure.SCORE_SHIFT: gettext_lazy(
        "The largest share of fresh images that score otherwise than the pool before."
    ),
    Measure.EMBEDDING_DRIFT: gettext_lazy(
        "How well fresh images are told from the pool before: 0.5 not at all, 1 every time."
    ),
    Measure.FLAG_RATIO: gettext_lazy(
        "Share of the images of a day that the champion flags, before licences."
    ),
    Measure.OVERRIDE_RATE: gettext_lazy(
        "Share of the flags decided lately whose brand or risk the reviewer changed. "
        "It is not precision: reviewers see the worst first."
    ),
    Measure.QUEUE_AGE: gettext_lazy("How long the oldest has been waiting."),
    Measure.ANSWER_TIME: gettext_lazy(
        "How long answering a question took: the median of the last 30 days."
    ),
}
ADVICE = {
    Measure.SCORE_STABILITY: gettext_lazy(
        "Look at the newest images; if they are a new kind of goods, open a round on them."
    ),
    Measure.SCORE_SHIFT: gettext_lazy(
        "Look at the newest images; if they are a new kind of goods, open a round on them."
    ),
    Measure.EMBEDDING_DRIFT: gettext_lazy(
        "Compare the newest images with older ones: a new source, another way of taking pictures? "
        "Label some of them and retrain."
    ),
    Measure.FLAG_RATIO: gettext_lazy(
        "See in Review which brand is flagged most, and give it hard negatives in a round."
    ),
    Measure.OVERRIDE_RATE: gettext_lazy(
        "Read what reviewers changed: if they are right, the brand needs hard negatives or a "
        "clearer guideline."
    ),
    Measure.ANSWER_TIME: gettext_lazy("Answer the oldest questions; share them among more people."),
}
QUEUE_ADVICE = {
    "tasks": gettext_lazy("Ask for more labelers, or open smaller rounds."),
    "questions": gettext_lazy("Answer the oldest questions; share them among more people."),
    "flags": gettext_lazy("Review the oldest flags; lower the flag ratio if they are too many."),
    "training": gettext_lazy("See whether the training worker runs: manage.py status."),
    "scan": gettext_lazy("Open a round: it scans the pool."),
    "outbox": gettext_lazy("See on the Label Studio page what is in the way."),
    "inbox": gettext_lazy("See on the Label Studio page what is in the way."),
}


@dataclass(frozen=True)
class Words:
    """A measure of a subject in words."""

    title: str
    subject: str
    meaning: str
    advice: str


def words(name: str, subject: str, brand: str | None) -> Words:
    """`brand`: the name of the brand that is the subject, where one is."""
    return Words(
        title=_(Measure(name).label),
        subject=subject_words(name, subject, brand),
        meaning=str(MEANINGS[Measure(name)]),
        advice=advice(name, subject),
    )


def subject_words(name: str, subject: str, brand: str | None) -> str:
    if name == Measure.OVERRIDE_RATE and subject:
        return brand or subject
    if name in HOURS:
        return str(QUEUES.get(subject, subject))
    return _(ModelKind(subject).label) if subject in ModelKind.values else _("all together")


def advice(name: str, subject: str) -> str:
    if name == Measure.QUEUE_AGE:
        return str(QUEUE_ADVICE[subject])
    return str(ADVICE[Measure(name)])


def sentence_of(alert: Alert, brand: str | None) -> str:
    """One line: `Flag ratio, all together: 2.31%, the limit is 1.00%`."""
    line = _("%(measure)s, %(subject)s: %(value)s, the limit is %(limit)s") % {
        "measure": _(Measure(alert.name).label),
        "subject": subject_words(alert.name, alert.subject, brand),
        "value": figure_text(alert.name, alert.value),
        "limit": figure_text(alert.name, alert.limit),
    }
    return str(capfirst(line))


def figure_text(name: str, value: float) -> str:
    if name in HOURS:
        return _("%(hours).1f h") % {"hours": value}
    return f"{100 * value:.2f}%" if name in SHARES else f"{value:.3f}"
