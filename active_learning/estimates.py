"""What the probes say: precision of the flags, from answered random draws alone."""

from collections import Counter

import numpy as np

from active_learning.models import Round, Selection
from annotation.models import Task
from ml.acquisition import brand_precision


def probe_counts(*, round_: Round | None = None) -> tuple[Counter, Counter]:
    """Per brand key: probes that did show the brand, and probes answered."""
    probes = Selection.objects.filter(
        strategy="probe",
        focus_brand__isnull=False,
        task__kind=Task.Kind.BRAND,
        task__image__consensus__kind=Task.Kind.BRAND,
        task__image__consensus__trusted=True,
    )
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
