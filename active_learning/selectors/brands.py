"""How each brand stands: what is known of it and how well it is recognised."""

from dataclasses import dataclass

from active_learning.estimates import probe_counts
from active_learning.measures import Figure, brand_recalls, wilson
from active_learning.models import Evaluation, JobState, ModelKind, Release
from annotation.models import Brand, GuidelineVersion
from annotation.selectors import label_counts, published


@dataclass(frozen=True)
class BrandRow:
    """A brand in the table; `need` ranks those that want care first."""

    brand: Brand
    guideline: GuidelineVersion | None
    labels: int
    recall: Figure | None
    precision: Figure | None

    @property
    def need(self) -> float:
        """1 − the lower of recall and precision, each at the lower end of its interval so that
        what is hardly known counts as bad; protected brands a little more."""
        worst = min((f.low for f in (self.recall, self.precision) if f), default=0.0)
        return 1 - worst + 0.1 * self.brand.protected

    @property
    def flags(self) -> int | None:
        """Flags checked by probes."""
        return self.precision.n if self.precision else None


SORTS = {
    "need": lambda row: row.need,
    "name": lambda row: row.brand.name_en.casefold(),
    "guideline": lambda row: row.guideline.number if row.guideline else 0,
    "labels": lambda row: row.labels,
    "recall": lambda row: row.recall.value if row.recall else -1,
    "precision": lambda row: row.precision.value if row.precision else -1,
    "flags": lambda row: row.flags or 0,
}


def brand_rows(*, brands: list[Brand], sort: str) -> list[BrandRow]:
    """The table, sorted by one of `SORTS`, descending with a leading minus; `brands` carry
    `published` (annotation.selectors.brands)."""
    recalls = brand_recalls(champion_report(), ModelKind.CLASSIFIER)
    hits, draws = probe_counts()
    counts = label_counts()
    rows = [
        BrandRow(
            brand=brand,
            guideline=published(brand),
            labels=counts.get(brand.pk, 0),
            recall=recalls.get(brand.key),
            precision=wilson(hits[brand.key], draws[brand.key]),
        )
        for brand in brands
    ]
    key = SORTS.get(sort.removeprefix("-"), SORTS["name"])
    return sorted(rows, key=key, reverse=sort.startswith("-"))


def champion_report() -> dict:
    """The champion's last report; empty before there is one."""
    evaluation = Evaluation.objects.filter(
        release__state=Release.State.CHAMPION, state=JobState.SUCCEEDED
    ).first()
    return evaluation.report if evaluation else {}


def recall_history(
    *, key: str, evaluations: list[Evaluation]
) -> dict[str, list[tuple[str, Figure]]]:
    """A brand's recall by model over the releases given: (release, recall), oldest first."""
    history: dict[str, list[tuple[str, Figure]]] = {}
    for evaluation in evaluations:
        for kind in (ModelKind.CLASSIFIER, ModelKind.DETECTOR):
            if (figure := brand_recalls(evaluation.report, kind).get(key)) is not None:
                history.setdefault(str(kind), []).append((str(evaluation.release.number), figure))
    return history
