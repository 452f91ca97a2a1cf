"""Sources: how each stands, its runs, and how right its word is."""

from dataclasses import dataclass

from django.db.models import QuerySet

from active_learning.measures import Figure
from active_learning.models import Source, SourceRun
from active_learning.rightness import Trust
from active_learning.sentences import Sentence
from annotation.cards import brand_names
from annotation.models import SetAside

SHOWN = 50  # figures of one table


@dataclass(frozen=True)
class SourceRow:
    """A source with its last run. `against`: why its weak labels train nothing, if so."""

    source: Source
    run: SourceRun | None
    rightness: Figure | None
    against: Sentence | None


@dataclass(frozen=True)
class NamedFigure:
    """The rightness of what a source says of one brand, or of a source without a row."""

    name: str
    figure: Figure
    against: Sentence | None


def sources() -> QuerySet[Source]:
    return Source.objects.select_related("brand", "created_by")


def runs() -> QuerySet[SourceRun]:
    return SourceRun.objects.select_related("source", "batch", "requested_by")


def rows(*, page: list[Source], trust: Trust) -> list[SourceRow]:
    newest = runs().filter(source__in=page).order_by("source_id", "-pk").distinct("source_id")
    last = {run.source_id: run for run in newest}
    return [
        SourceRow(
            source=source,
            run=last.get(source.pk),
            rightness=trust.rightness.get((source.name, "")),
            against=trust.against(source.name, None),
        )
        for source in page
    ]


def by_hand(trust: Trust) -> list[NamedFigure]:
    """Measured names of images that no source has: taken in by `manage.py ingest`. Those with most
    answers."""
    found = [
        NamedFigure(name, figure, trust.against(name, None))
        for (name, brand), figure in trust.rightness.items()
        if not brand and name not in trust.rules
    ]
    return sorted(found, key=lambda row: -(row.figure.n or 0))[:SHOWN]


def by_brand(source: Source, trust: Trust) -> list[NamedFigure]:
    """Of one source, the brands with answers enough that are least right."""
    found = [
        (brand, figure)
        for (name, brand), figure in trust.rightness.items()
        if name == source.name and brand
    ]
    found = sorted(found, key=lambda row: row[1].value)[:SHOWN]
    names = brand_names(brand for brand, _ in found)
    return [
        NamedFigure(names.get(brand, brand), figure, trust.against(source.name, brand))
        for brand, figure in found
    ]


def refusals(run: SourceRun) -> QuerySet[SetAside]:
    """What a run would not take, with the reasons."""
    return SetAside.objects.filter(batch=run.batch_id) if run.batch_id else SetAside.objects.none()
