"""Two releases on the same images: what one finds and the other misses.

Both must have been evaluated on the same test sets, with their scores kept. What is found does not
change any more, so it is kept in the cache: the files take a second to read, the pages of a grid
are many.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils.translation import gettext as _

from active_learning import datasets, evaluations
from active_learning.jobs import JobError
from active_learning.models import Evaluation, JobState, Release
from ml.errors import InputError
from ml.evaluate.compare import compare_scores
from ml.evaluate.gating import gate_changes
from ml.evaluate.outcomes import Outcomes
from ml.evaluate.pairing import paired
from ml.evaluate.scores_file import SavedScores, read_scores

SECONDS = 24 * 3600
MOST = 5_000  # images listed of each side
KEPT = ("closed", "open", "business", "not_shared")


class NotComparable(JobError):
    """They cannot be compared; the message says why."""


@dataclass(frozen=True)
class Measured:
    """Two releases' evaluations on the same test sets."""

    a: Evaluation
    b: Evaluation

    @property
    def kinds(self) -> list[str]:
        """The models that both measured with their scores kept."""
        return [
            kind
            for kind, report in self.a.report.items()
            if "scores" in report and "scores" in self.b.report.get(kind, {})
        ]


def measured_together(*, a: Release, b: Release) -> Measured | None:
    """Their last evaluations on the same test sets; None where there are none."""
    rows = Evaluation.objects.filter(release__in=[a, b], state=JobState.SUCCEEDED)
    by_release: dict[int, dict[str, Evaluation]] = {a.pk: {}, b.pk: {}}
    for row in rows.order_by("pk"):
        by_release[row.release_id][row.manifest_sha256] = row
    both = [sha256 for sha256 in by_release[a.pk] if sha256 in by_release[b.pk]]
    found = [Measured(by_release[a.pk][sha256], by_release[b.pk][sha256]) for sha256 in both]
    return max(found, key=lambda pair: (bool(pair.kinds), pair.b.pk), default=None)


def request_comparison(*, a: Release, b: Release, by: User | None = None) -> list[Evaluation]:
    """Have both evaluated on the test sets as they are known now.

    Raises:
        NothingToEvaluate: no test images, or no models.
    """
    manifest = datasets.evaluation_manifest()
    return [
        evaluations.request_evaluation(release=release, manifest=manifest, by=by)
        for release in (a, b)
    ]


def compare(*, measured: Measured, kind: str) -> dict[str, Any]:
    """What changes from `a` to `b` for one kind of model.

    Returns:
        `closed`, `open`, `business`, `not_shared` as of `ml compare`; `shown`: as `closed`, on the
        third of its rows that no gate reads; `a_only`, `b_only`: closed and business images that
        one finds and the other misses, `[{"sha256", "brand", "said", "score", "set"}]`, with what
        the other said. The MOST surest of its wrong answers; `images`: how many there are of each.

    Raises:
        NotComparable: the scores are gone, or not of the same rows.
    """
    key = f"compared:{measured.a.pk}:{measured.b.pk}:{kind}"
    found = cache.get(key)
    if found is None:
        found = _compare(measured, kind)
        cache.set(key, found, SECONDS)
    return found


def _compare(measured: Measured, kind: str) -> dict[str, Any]:
    if kind not in measured.kinds:
        raise NotComparable(_("The scores of this model were not kept."))
    try:
        sides = [
            read_scores(Path(side.report[kind]["scores"])) for side in (measured.a, measured.b)
        ]
        a, b = paired(*sides)
    except InputError as error:
        raise NotComparable(str(error)) from error
    found = {name: part for name, part in compare_scores(a, b).items() if name in KEPT}
    found["shown"] = gate_changes(a, b).get("shown")
    tested = np.isin(a.rows.split.astype(str), ["closed", "business"]) & (a.rows.truth != "")
    missed_by_b, missed_by_a = (tested & (x.hit & ~y.hit) for x, y in _both_ways(a.rows, b.rows))
    found["a_only"] = _images(b, missed_by_b)
    found["b_only"] = _images(a, missed_by_a)
    found["images"] = {"a_only": int(missed_by_b.sum()), "b_only": int(missed_by_a.sum())}
    return found


def _both_ways(a: Outcomes, b: Outcomes) -> list[tuple[Outcomes, Outcomes]]:
    return [(a, b), (b, a)]


def _images(side: SavedScores, mask: np.ndarray) -> list[dict[str, Any]]:
    """What the side that misses them said of these rows, the surest first."""
    places = np.flatnonzero(mask)
    places = places[np.argsort(-side.rows.score[places], kind="stable")][:MOST]
    return [
        {
            "sha256": side.keys[i].split(" ", 1)[1],
            "set": str(side.rows.split[i]),
            "brand": str(side.rows.truth[i]),
            "said": str(side.rows.said[i]),
            "score": float(side.rows.score[i]),
        }
        for i in places
    ]
