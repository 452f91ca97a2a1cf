"""What the probes say: precision of the flags, from answered random draws alone."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from django.db.models import Count, Q, QuerySet

from active_learning.models import Round, Selection
from annotation.models import Brand, Task
from ml.acquisition import brand_precision


def probe_counts(*, round_: Round | None = None) -> tuple[Counter, Counter]:
    """Per brand key: probes that did show the brand, and probes answered."""
    probes = _answered_probes()
    if round_ is not None:
        probes = probes.filter(round=round_)
    hits: Counter[str] = Counter()
    draws: Counter[str] = Counter()
    for asked, answered in probes.values_list(
        "focus_brand__key", "task__image__consensus__brand__key"
    ):
        draws[asked] += 1
        hits[asked] += asked == answered
    return hits, draws


def _answered_probes() -> QuerySet[Selection]:
    return Selection.objects.filter(
        strategy="probe",
        focus_brand__isnull=False,
        task__kind=Task.Kind.BRAND,
        task__image__consensus__kind=Task.Kind.BRAND,
        task__image__consensus__trusted=True,
    )


def probe_counts_by_round(*, brand: Brand, rounds: Iterable[Round]) -> dict[int, tuple[int, int]]:
    """Of one brand, by a round's id: probes that did show it, and probes answered."""
    probes = _answered_probes().filter(round__in=list(rounds), focus_brand=brand)
    counted = probes.order_by().values("round_id").annotate(
        draws=Count("pk"), hits=Count("pk", filter=Q(task__image__consensus__brand=brand))
    )  # fmt: skip
    return {row["round_id"]: (row["hits"], row["draws"]) for row in counted}


def probe_precision(*, round_: Round) -> dict:
    """Precision of a round's flags over all brands: `{"hits", "draws", "mean", "low", "high"}`
    (posterior mean and 90% interval)."""
    hits, draws = probe_counts(round_=round_)
    total = np.array([hits.total()]), np.array([draws.total()])
    posterior = brand_precision(*total)
    return {
        "hits": hits.total(),
        "draws": draws.total(),
        "mean": float(posterior.mean[0]),
        "low": float(posterior.low[0]),
        "high": float(posterior.high[0]),
    }
