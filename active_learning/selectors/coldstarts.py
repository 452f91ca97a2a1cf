"""Cold starts, and how the brand does after each of their rounds."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Prefetch, QuerySet

from active_learning.coldstarts import positives
from active_learning.estimates import probe_counts_by_round
from active_learning.measures import Figure, wilson
from active_learning.models import ColdStart, Evaluation, JobState, Release, Round, RoundStep
from active_learning.sentences import Sentence, sentence
from annotation.models import Brand


def cold_starts() -> QuerySet[ColdStart]:
    """Cold starts, newest first, with their rounds."""
    steps = Prefetch("steps", RoundStep.objects.order_by("position"))
    rounds = Round.objects.select_related("champion", "candidate").prefetch_related(steps)
    return ColdStart.objects.select_related("brand", "requested_by").prefetch_related(
        Prefetch("rounds", rounds.order_by("number"))
    )


def known_images(*, brand: Brand) -> dict[str, int]:
    """How many images are known to show the brand, by split; empty ones left out."""
    splits = positives(brand=brand).order_by("split").values_list("split")
    return dict(splits.annotate(images=Count("pk")))


@dataclass(frozen=True)
class Line:
    """The brand at one score threshold: recall on its closed images, and of the open images the
    share that is flagged for it and the precision of these flags. `missing` says why one is not
    there."""

    threshold: float
    recall: Figure | None
    precision: Figure | None
    flag_ratio: Figure | None
    missing: list[Sentence]


@dataclass(frozen=True)
class Standing:
    """How the brand stood with one release.

    Attributes:
        round: that made the release; None: the champion before.
        answers: given in that round.
        probes: of its flags at the operating point, those drawn at random that people confirmed.
    """

    round: Round | None
    release: Release
    answers: int | None
    lines: list[Line]
    probes: Figure | None


def standings(*, cold_start: ColdStart) -> list[Standing]:
    """A row a release: the champion before, where it knew the brand, then what each round made.

    Args:
        cold_start: as of `cold_starts`.
    """
    key = cold_start.brand.key
    rounds = sorted(cold_start.rounds.all(), key=lambda round_: round_.number)
    made: list[tuple[Round | None, Release]] = [
        (round_, round_.candidate) for round_ in rounds if round_.candidate is not None
    ]
    if rounds and rounds[0].champion is not None and key in rounds[0].champion.brands:
        made.insert(0, (None, rounds[0].champion))
    measured = _fixed_thresholds(release.pk for _round, release in made)
    probed = _probed(cold_start, rounds)
    return [
        Standing(
            round=round_,
            release=release,
            answers=_answers(round_) if round_ else None,
            lines=[
                _line(fixed, key) for fixed in measured.get(release.pk, ()) if "per_brand" in fixed
            ],
            probes=wilson(*probed[release.classifier_id]),
        )
        for round_, release in made
    ]


def _probed(cold_start: ColdStart, rounds: Iterable[Round]) -> dict[int | None, tuple[int, int]]:
    """Hits and draws by the classifier whose flags were probed: of the release that scanned."""
    counts = probe_counts_by_round(brand=cold_start.brand, rounds=rounds)
    found: dict[int | None, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for round_ in rounds:
        if round_.champion is not None:
            hits, draws = found[round_.champion.classifier_id]
            more_hits, more_draws = counts.get(round_.pk, (0, 0))
            found[round_.champion.classifier_id] = (hits + more_hits, draws + more_draws)
    return found


def _fixed_thresholds(release_ids: Iterable[int]) -> dict[int, list[Mapping[str, Any]]]:
    """What the releases' last evaluations say of their classifier, without the rest of a report."""
    rows = Evaluation.objects.filter(release__in=set(release_ids), state=JobState.SUCCEEDED)
    found = rows.order_by("pk").values_list("release_id", F("report__classifier__fixed_thresholds"))
    return {release: lines or [] for release, lines in found}


def _answers(round_: Round) -> int | None:
    results = {step.name: step.result for step in round_.steps.all()}
    collected: int | None = results.get(RoundStep.Name.COLLECT, {}).get("collected")
    return collected


def _line(fixed: Mapping[str, Any], key: str) -> Line:
    of_brand = fixed["per_brand"].get(key, {})
    figures = {
        name: Figure(**of_brand[name]) if name in of_brand else None
        for name in ("recall", "flag_ratio")
    }
    said = of_brand.get("precision")
    precision = Figure(said["value"], said["low"], said["high"], said["n"]) if said else None
    return Line(
        threshold=fixed["threshold"],
        precision=precision,
        missing=_missing(key in fixed["per_brand"], precision, **figures),
        **figures,
    )


def _missing(
    is_known: bool, precision: Figure | None, *, recall: Figure | None, flag_ratio: Figure | None
) -> list[Sentence]:
    if not is_known:
        return [sentence("the classifier does not know the brand")]
    found = []
    if recall is None:
        found.append(
            sentence("no closed image shows it: ingest some with --split closed to measure recall")
        )
    if flag_ratio is None:
        found.append(sentence("there are no open images: ingest some with --split open"))
    elif not flag_ratio.value:
        found.append(sentence("no open image is flagged for it, so there is no precision"))
    elif precision is None:
        found.append(sentence("none of its open flags was answered, so their precision is unknown"))
    return found
