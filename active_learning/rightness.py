"""How often the word of a source is right, from answers of people who saw no proposal, and whether
it may train models unseen."""

from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from active_learning.measures import Figure
from active_learning.models import Source
from active_learning.sentences import Sentence, sentence
from annotation.consensus import counting_labels
from annotation.models import Consensus, Label, Task
from annotation.models.label import Answer
from ml.evaluate.intervals import beta

Key = tuple[str, str]  # a source's name, and the key of the brand it names; empty: all together


def read_rightness() -> dict[Key, Figure]:
    """Posterior and 95% interval of each source's rightness: over all it says, and of each brand
    that it names with SOURCE_LEAST_ANSWERS answers or more.

    One image of a near-duplicate group counts. The draws of rounds and checks are random, a tenth
    of what rounds choose is blind too.
    """
    hits, answers = Counter[Key](), Counter[Key]()
    for source, brand, is_right in _judged():
        for key in {(source, ""), (source, brand or "")}:
            answers[key] += 1
            hits[key] += is_right
    return {
        key: beta(hits[key], n)
        for key, n in sorted(answers.items())
        if not key[1] or n >= settings.SOURCE_LEAST_ANSWERS
    }


def _judged() -> list[tuple[str, str | None, bool]]:
    """(source, the brand it names, whether it is right) of each image whose weak label can be
    compared with a trusted answer that blind answers alone made."""
    blind = Q(source=Label.Source.LABELER, proposal_shown=False, task__blind=True)
    seen = counting_labels().filter(~blind, image=OuterRef("image"), kind=Task.Kind.BRAND)
    rows = (
        Consensus.objects.filter(
            ~Exists(seen),
            kind=Task.Kind.BRAND,
            trusted=True,
            answer__in=[Answer.BRAND, Answer.NONE, Answer.OTHER],
            image__role="training",
        )
        .exclude(image__weak_answer="")
        .order_by("image__source", "image__group", "image")
        .distinct("image__source", "image__group")
        .values_list(
            "image__source", "image__weak_answer", "image__weak_brand__key", "answer", "brand__key"
        )
    )
    return [
        (source, weak_brand, (weak, weak_brand) == (answer, brand))
        for source, weak, weak_brand, answer, brand in rows
    ]


@dataclass(frozen=True)
class Trust:
    """Which weak labels may train models without a look."""

    rules: dict[str, str]  # of sources that have a row
    rightness: dict[Key, Figure]

    @classmethod
    def read(cls) -> "Trust":
        return cls(dict(Source.objects.values_list("name", "trust")), read_rightness())

    def against(self, source: str, brand: str | None) -> Sentence | None:
        """Why a weak label of this source, naming this brand if any, trains nothing; None where it
        may. What is measured of the brand itself goes before what is of the source."""
        rule = self.rules.get(source, Source.Trust.MEASURED)
        if rule == Source.Trust.NEVER:
            return sentence("only once looked at")
        if rule == Source.Trust.ALWAYS or not settings.SOURCE_LEAST_RIGHTNESS:
            return None
        whole = self.rightness.get((source, ""))
        figure = self.rightness.get((source, brand)) if brand else None
        figure = figure or whole
        if figure is None or (figure.n or 0) < settings.SOURCE_LEAST_ANSWERS:
            return None if settings.SOURCE_UNMEASURED else sentence("nobody has measured it yet")
        if figure.low >= settings.SOURCE_LEAST_RIGHTNESS:
            return None
        return sentence(
            "right in %(low)s%% at least, by %(n)s blind answers; %(least)s%% are asked for",
            low=round(100 * figure.low),
            n=figure.n or 0,
            least=round(100 * settings.SOURCE_LEAST_RIGHTNESS),
        )


class LeftOut:
    """Weak labels that trained nothing, counted while a dataset is read."""

    def __init__(self) -> None:
        self._trust = Trust.read()
        self._why: dict[Key, Sentence | None] = {}
        self._rows = Counter[Key]()

    def takes(self, source: str, brand: str | None) -> bool:
        """Whether a weak label is left out; it is counted then."""
        key = source, brand or ""
        if key not in self._why:
            self._why[key] = self._trust.against(source, brand)
        if self._why[key] is None:
            return False
        self._rows[key] += 1
        return True

    def as_json(self) -> list[dict]:
        """`[{"source", "brand", "rows", "why": sentence}]`."""
        return [
            {"source": source, "brand": brand, "rows": rows, "why": self._why[source, brand]}
            for (source, brand), rows in sorted(self._rows.items())
        ]
