"""Cold starts: a new brand from its positives to a model that knows it, as rounds one after the
other. The first trains on the positives and asks nobody; each further one asks people about what
the model takes for the brand (the article's section 3.1), trains and measures again.

`advance` opens the next round when the last is done. As with rounds, anybody may call it at any
time: what was killed goes on at the next sweep.
"""

import logging
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from active_learning import rounds
from active_learning.jobs import JobError
from active_learning.models import ColdStart, ModelKind, Release, Round, RoundStep
from annotation.ingest import IngestReport, ingest_folder
from annotation.locks import advisory_lock
from annotation.models import Brand, Consensus, Image, Task
from ml.progress import Progress

logger = logging.getLogger(__name__)

MIX = {"hard_negatives": 0.75, "probe": 0.15, "random_control": 0.10}
DEFAULT_CONFIG: dict[str, Any] = {
    "budget": 60,
    "negatives_per_brand": None,
    "hard_share": 0.5,
    "collect_seconds": None,
}
ROUNDS = 3
MOST_ROUNDS = 20
LEAST_POSITIVES = 2  # training images that the classifier needs of a class
SOURCE = "positives"


class ColdStartError(JobError):
    """A cold start that cannot be, or be changed as asked; the message is for a person."""


def check_listed(*, brand: Brand) -> None:
    """
    Raises:
        ColdStartError: the models have no class for it.
    """
    if brand.state != Brand.State.LISTED:
        raise ColdStartError(
            _("%(brand)s is not on the list (it is “%(state)s”): put it there first.")
            % {"brand": brand, "state": _(brand.get_state_display())}
        )


def take_in(
    *, brand: Brand, directory: Path, progress: Progress | None = None, source: str = SOURCE
) -> IngestReport:
    """Ingest a folder whose images show the brand, as labels. Again: nothing new.

    Raises:
        ColdStartError: the brand is not on the list.
        InputError: the folder cannot be used.
    """
    check_listed(brand=brand)
    return ingest_folder(
        directory=directory, source=source, trusted=True, shows=brand.key, progress=progress
    )


def positives(*, brand: Brand) -> QuerySet[Image]:
    """Images known to show the brand, by a trusted answer, or by their source's word where nobody
    has looked."""
    said = Consensus.objects.filter(image=OuterRef("pk"), kind=Task.Kind.BRAND)
    return Image.objects.filter(
        Q(Exists(said.filter(trusted=True, answer="brand", brand=brand)))
        | (Q(weak_answer="brand", weak_brand=brand) & ~Exists(said))
    )


def start(
    *,
    brand: Brand,
    rounds_wanted: int = ROUNDS,
    config: dict[str, Any] | None = None,
    by: User | None = None,
) -> ColdStart:
    """Begin a cold start.

    Args:
        rounds_wanted: how many rounds ask people.
        config: `budget` images asked a round, `negatives_per_brand` trained on (None: all) with
            `hard_share` of them hard, `collect_seconds` after which a round asks no longer.

    Raises:
        ColdStartError: the brand is not on the list, has too few positives or is being started.
        RoundError: a dial makes no sense.
    """
    check_listed(brand=brand)
    known = positives(brand=brand).filter(split=Image.Split.TRAIN).count()
    if known < LEAST_POSITIVES:
        raise ColdStartError(
            _("%(brand)s has %(count)d training images; at least %(least)d are needed. Ingest "
              "pictures that show it.")
            % {"brand": brand, "count": known, "least": LEAST_POSITIVES}
        )  # fmt: skip
    config = full_config(config)
    if not 1 <= rounds_wanted <= MOST_ROUNDS:
        raise rounds.RoundError(_("Rounds: from 1 to %(most)d.") % {"most": MOST_ROUNDS})
    try:
        with transaction.atomic():
            made = ColdStart.objects.create(
                brand=brand, rounds_wanted=rounds_wanted, config=config, requested_by=by
            )
    except IntegrityError as error:
        raise ColdStartError(_("A cold start of %(brand)s is running.") % {"brand": brand}) from (
            error
        )
    logger.info("%s begun by %s", made, by)
    advance(cold_start_id=made.pk)
    return made


def full_config(config: dict[str, Any] | None) -> dict[str, Any]:
    """What is left out as the default says.

    Raises:
        RoundError: names the first dial that makes no sense.
    """
    config = {**DEFAULT_CONFIG, **(config or {})}
    if unknown := set(config) - set(DEFAULT_CONFIG):
        raise rounds.RoundError(_("There is no setting “%(name)s”.") % {"name": min(unknown)})
    limits = {
        "budget": (1, 10_000, _("Images asked a round")),
        "negatives_per_brand": (0.01, 1e9, _("Negatives a brand")),
        "hard_share": (0, 1, _("Share of hard negatives")),
        "collect_seconds": (1, 1e9, _("Seconds of collecting")),
    }
    optional = ("negatives_per_brand", "collect_seconds")
    for name, (low, high, words) in limits.items():
        value = config[name]
        if value is None and name in optional:
            continue
        kinds = (int,) if name == "budget" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            raise rounds.RoundError(
                _("%(dial)s: “%(text)s” makes no sense.") % {"dial": words, "text": value}
            )
    return config


def round_config(*, brand: Brand, config: dict[str, Any]) -> dict[str, Any]:
    """The dials of a round that asks about the brand."""
    trained = {"hard_share": config["hard_share"]}
    if config["negatives_per_brand"] is not None:
        trained["negatives_per_brand"] = config["negatives_per_brand"]
    return {
        "budget": {"brand": config["budget"], "boxes": 0, "variation": 0},
        "mix": MIX,
        "focus": [brand.key],
        "collect_seconds": config["collect_seconds"],
        "train": {ModelKind.CLASSIFIER.value: trained},
    }


def advance_running() -> None:
    """Have every running cold start go on, as far as it can."""
    running = ColdStart.objects.filter(state=ColdStart.State.RUNNING)
    for pk in running.order_by("pk").values_list("pk", flat=True):
        advance(cold_start_id=pk)


def advance(*, cold_start_id: int) -> None:
    """Open the next round when the last is done, or end the cold start. Does nothing while a round
    runs, or where somebody else is at it."""
    with advisory_lock(f"cold start {cold_start_id}") as held:
        if not held:
            return
        begun = ColdStart.objects.select_related("brand").get(pk=cold_start_id)
        last = begun.rounds.first()
        if begun.state != ColdStart.State.RUNNING or (
            last is not None and last.state == Round.State.RUNNING
        ):
            return
        if last is not None and last.state != Round.State.DONE:
            _end(begun, ColdStart.State.FAILED, _why(last))
        elif asked(begun).count() >= begun.rounds_wanted:
            _end(begun, ColdStart.State.DONE)
        else:
            _open_next(begun, last)


def asked(cold_start: ColdStart) -> QuerySet[Round]:
    """Its rounds that ask people."""
    return cold_start.rounds.filter(steps__name=RoundStep.Name.SELECT)


def scanner_of(cold_start: ColdStart) -> Release | None:
    """The release that looks for the brand in the pool: the champion, where it knows the brand;
    else the last round's candidate, though the gates may have turned it down."""
    live = Release.objects.filter(state=Release.State.CHAMPION).first()
    last = cold_start.rounds.select_related("candidate").first()
    candidates = (live, last.candidate if last else None)
    return next((one for one in candidates if one and cold_start.brand.key in one.brands), None)


def _open_next(begun: ColdStart, last: Round | None) -> None:
    scanner = scanner_of(begun)
    if scanner is None and last is not None:
        _end(
            begun,
            ColdStart.State.FAILED,
            _("The classifier was trained without %(brand)s: too few of its images are in the "
              "training rows.") % {"brand": begun.brand},
        )  # fmt: skip
        return
    config = round_config(brand=begun.brand, config=begun.config)
    if Release.objects.filter(state=Release.State.CHAMPION).exists():
        config["models"] = [ModelKind.CLASSIFIER.value]  # the others are the champion's
    try:
        rounds.open_round(
            config=config,
            by=begun.requested_by,
            asking=scanner is not None,
            scanner=scanner,
            cold_start=begun,
        )
    except rounds.RoundRunning:
        logger.debug("%s waits for another round to end", begun)


def _why(round_: Round) -> str:
    failed = round_.steps.filter(state=RoundStep.State.FAILED).first()
    return _("Round %(number)d: %(state)s. %(error)s") % {
        "number": round_.number,
        "state": _(round_.state),
        "error": failed.error if failed else "",
    }


def _end(begun: ColdStart, state: str, error: str = "") -> None:
    ColdStart.objects.filter(pk=begun.pk, state=ColdStart.State.RUNNING).update(
        state=state, error=error.strip(), finished_at=timezone.now()
    )
    logger.info("%s: %s %s", begun, state, error)


def cancel(*, cold_start: ColdStart, by: User | None = None) -> None:
    """Stop it, and the round of it that runs; labels, datasets and models stay.

    Raises:
        ColdStartError: it is not running.
    """
    changed = ColdStart.objects.filter(pk=cold_start.pk, state=ColdStart.State.RUNNING).update(
        state=ColdStart.State.CANCELLED, finished_at=timezone.now()
    )
    if not changed:
        raise ColdStartError(_("Only a running cold start can be cancelled."))
    # One that was being opened at this moment is there once the lock is free.
    with advisory_lock(f"cold start {cold_start.pk}", wait=True):
        for round_ in cold_start.rounds.filter(state=Round.State.RUNNING):
            rounds.cancel_round(round_=round_, by=by)
    logger.info("%s cancelled by %s", cold_start, by)


def resume(*, cold_start: ColdStart, by: User | None = None) -> None:
    """Let one that failed go on: at the step where its round failed, or with a new round where
    that was cancelled.

    Raises:
        ColdStartError: it has not failed, or another of its brand runs.
        RoundError: another round is running.
    """
    try:
        with transaction.atomic():
            changed = ColdStart.objects.filter(
                pk=cold_start.pk, state=ColdStart.State.FAILED
            ).update(state=ColdStart.State.RUNNING, error="", finished_at=None)
            if not changed:
                raise ColdStartError(_("Only a failed cold start can go on."))
            last = cold_start.rounds.first()
            if last is not None and last.state == Round.State.FAILED:
                rounds.retry_round(round_=last, by=by)
            elif last is not None and last.state == Round.State.CANCELLED:
                Round.objects.filter(pk=last.pk).update(cold_start=None)
    except IntegrityError as error:
        raise ColdStartError(
            _("A cold start of %(brand)s is running.") % {"brand": cold_start.brand}
        ) from error
    advance(cold_start_id=cold_start.pk)
