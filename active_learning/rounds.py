"""Rounds: opening one, and moving it on step by step until it is done.

`advance` may be called by anybody at any time, as often as they like: it holds a lock that dies
with its holder, does the first step that is not done, and every step may be done again. So a
round that was killed anywhere goes on at the next call, which the beat sweep makes.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F, Max
from django.utils import timezone
from django.utils.translation import gettext as _

from active_learning import round_steps, worth
from active_learning.models import TRAINED_ALONE, ColdStart, Release, Round, RoundStep
from active_learning.round_steps import StepFailed, Waiting
from annotation.locks import advisory_lock
from annotation.tasking import withdraw_tasks
from ml.acquisition import DEFAULT_MIX, STRATEGIES, SUSPECTED

logger = logging.getLogger(__name__)

COLD_START = ("freeze", "train", "evaluate", "gate")
WHOLE = ("scan", "select", "push", "collect", *COLD_START)
ATTEMPTS = 5

DEFAULT_CONFIG: dict[str, Any] = {
    "budget": {"brand": 120, "boxes": 30, "variation": 20},
    "mix": DEFAULT_MIX,
    "focus": [],
    "most_per_brand": None,
    "collect_seconds": None,
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


# All dials, and what each may be at all; what it may say is checked after that.
SHAPES: dict[str, Callable[[Any], bool]] = {
    "budget": lambda value: isinstance(value, dict),
    "mix": lambda value: isinstance(value, dict) and all(map(_is_number, value.values())),
    "focus": _are_words,
    "models": _are_words,
    "most_per_brand": lambda value: value is None or (_is_whole(value) and value > 0),
    "collect_seconds": lambda value: value is None or (_is_number(value) and value > 0),
    "seed": lambda value: _is_whole(value) and 0 <= value < 2**31,
    "train": lambda value: (
        isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
    ),
}


class RoundError(Exception):
    """A round that cannot be opened or changed as asked; the message is for a person."""


class RoundRunning(RoundError):
    """Another round is running: one at a time."""


@dataclass(frozen=True)
class Advance:
    """Where a call of `advance` left a round."""

    state: str
    step: str | None
    waiting_for: str


def open_round(
    *,
    config: dict | None = None,
    by: User | None = None,
    asking: bool = True,
    scanner: Release | None = None,
    cold_start: ColdStart | None = None,
) -> Round:
    """Open the next round. The first, with no champion to scan with, is a cold start: it trains
    on what the sources say and promotes the first release.

    Args:
        asking: false to train on what is known without asking anybody.
        scanner: scans the pool in the champion's place.
        cold_start: that it is a round of.

    Raises:
        RoundRunning: one is running.
        RoundError: the configuration makes no sense.
    """
    config = full_config(config)
    champion = Release.objects.filter(state=Release.State.CHAMPION).first()
    if asking and (release := scanner or champion):
        check_focus(config, release=release)
    number = next_number(release=champion)
    try:
        with transaction.atomic():
            round_ = Round.objects.create(
                number=number,
                seed=config.get("seed", number),
                config=config | {"opened_by": by.get_username() if by else ""},
                champion=scanner or champion,
                cold_start=cold_start,
            )
            RoundStep.objects.bulk_create(
                RoundStep(round=round_, name=name, position=position)
                for position, name in enumerate(WHOLE if champion and asking else COLD_START)
            )
    except IntegrityError as error:  # of the number too, where two are opened at once
        raise RoundRunning(_("A round is running: let it end or cancel it first.")) from error
    enqueue(round_id=round_.pk)
    return round_


def next_number(*, release: Release | None) -> int:
    """Of the next round, if this is the champion then; a cold start is number 0."""
    last = Round.objects.aggregate(last=Max("number"))["last"]
    return (last + 1) if last is not None else (1 if release else 0)


def full_config(config: dict | None) -> dict:
    """What is left out as the default says.

    Raises:
        RoundError: names the first dial that makes no sense.
    """
    config = {**DEFAULT_CONFIG, **(config or {})}
    if unknown := set(config) - set(SHAPES):
        raise RoundError(_("There is no setting “%(name)s”.") % {"name": sorted(unknown)[0]})
    for name, value in config.items():
        if not SHAPES[name](value):
            raise RoundError(
                _("%(dial)s: “%(text)s” makes no sense.") % {"dial": name, "text": value}
            )
    for kind, budget in config["budget"].items():
        if kind not in DEFAULT_CONFIG["budget"] or not _is_whole(budget) or budget < 0:
            raise RoundError(
                _("Budget of %(kind)s: “%(text)s” is not a number of tasks.")
                % {"kind": _(kind), "text": budget}
            )
    shares = config["mix"]
    if unknown := set(shares) - {*STRATEGIES, SUSPECTED}:
        raise RoundError(_("There is no strategy “%(name)s”.") % {"name": sorted(unknown)[0]})
    if any(share < 0 for share in shares.values()) or sum(shares.values()) > 1.000001:
        raise RoundError(_("The shares of the mix must not be negative nor exceed 1 together."))
    if unknown := {*config.get("models", ()), *config.get("train", ())} - set(TRAINED_ALONE):
        raise RoundError(_("There is no model “%(name)s”.") % {"name": sorted(unknown)[0]})
    return config


def check_focus(config: dict, *, release: Release) -> None:
    """That the release knows the brands a round is about: of others its scan says nothing.

    Raises:
        RoundError: names the first that it does not know.
    """
    if unknown := set(config["focus"]) - set(release.brands):
        raise RoundError(
            _("%(release)s does not know “%(brand)s”: a new brand begins with a cold start.")
            % {"release": release, "brand": min(unknown)}
        )


def cancel_round(*, round_: Round, by: User | None = None) -> None:
    """Stop a running round: its unanswered tasks are withdrawn, its labels stay.

    Raises:
        RoundError: it is not running.
    """
    with transaction.atomic():  # while tasks are being written for it, this waits for them
        changed = Round.objects.filter(pk=round_.pk, state=Round.State.RUNNING).update(
            state=Round.State.CANCELLED, finished_at=timezone.now()
        )
        if not changed:
            raise RoundError(_("Only a running round can be cancelled."))
        withdraw_tasks(task_ids=list(round_.selections.values_list("task_id", flat=True)))
    logger.info("round %s cancelled by %s", round_.number, by)


def enqueue(*, round_id: int) -> None:
    """Have a worker advance the round once this transaction is committed."""
    from active_learning.tasks import advance_round

    advance_round.delay_on_commit(round_id)


def advance_running() -> int:
    """Have every running round advanced; a lost message so costs one sweep at most."""
    running = Round.objects.filter(state=Round.State.RUNNING).values_list("pk", flat=True)
    for pk in running:
        enqueue(round_id=pk)
    return len(running)


def advance(*, round_id: int) -> Advance | None:
    """Do what can be done of a round now. None when somebody else is at it."""
    with advisory_lock(f"round {round_id}") as held:
        if not held:
            return None
        while True:
            round_ = Round.objects.get(pk=round_id)
            if round_.state != Round.State.RUNNING:
                return Advance(round_.state, None, "")
            step = round_.steps.exclude(state=RoundStep.State.DONE).first()
            if step is None:
                _finish(round_)
                continue
            waiting = _do(round_, step)
            if waiting is not None:
                return Advance(round_.state, step.name, waiting)


def _do(round_: Round, step: RoundStep) -> str | None:
    """Do one step. Returns what it waits for, or None when the round should be looked at again."""
    if step.started_at is None:
        step.started_at = timezone.now()
    step.state = RoundStep.State.RUNNING
    step.save(update_fields=["state", "started_at"])
    try:
        result = round_steps.STEPS[step.name](round_)
    except Waiting as waiting:
        return str(waiting)
    except StepFailed as failure:
        _fail(round_, step, str(failure))
        return None
    except (OperationalError, InterfaceError):
        raise  # the connection is gone, and the lock with it: the next call starts afresh
    except Exception as error:
        # Whatever it was may pass (a service that is down, a lost connection): the sweep tries
        # again, and the last attempt's word is kept for a person.
        logger.exception("round %s, step %s", round_.number, step.name)
        if step.attempts + 1 >= ATTEMPTS:
            _fail(round_, step, f"{type(error).__name__}: {error}")
            return None
        RoundStep.objects.filter(pk=step.pk).update(
            attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"
        )
        return f"another attempt after: {error}"
    step.result, step.state, step.error = result, RoundStep.State.DONE, ""
    step.finished_at = timezone.now()
    step.save(update_fields=["result", "state", "error", "finished_at"])
    logger.info("round %s: %s done: %s", round_.number, step.name, result)
    return None


def _finish(round_: Round) -> None:
    worth.request_worth(round_=round_)
    Round.objects.filter(pk=round_.pk, state=Round.State.RUNNING).update(
        state=Round.State.DONE, finished_at=timezone.now()
    )


def _fail(round_: Round, step: RoundStep, error: str) -> None:
    with transaction.atomic():
        RoundStep.objects.filter(pk=step.pk).update(
            state=RoundStep.State.FAILED, error=error, finished_at=timezone.now()
        )
        Round.objects.filter(pk=round_.pk, state=Round.State.RUNNING).update(
            state=Round.State.FAILED, finished_at=timezone.now()
        )
    logger.error("round %s failed at %s: %s", round_.number, step.name, error)


def retry_round(*, round_: Round, by: User | None = None) -> None:
    """Let a failed round go on at the step that failed; what was done stays done.

    Raises:
        RoundError: it has not failed, or another one is running.
    """
    try:
        with transaction.atomic():
            changed = Round.objects.filter(pk=round_.pk, state=Round.State.FAILED).update(
                state=Round.State.RUNNING, finished_at=None
            )
            if not changed:
                raise RoundError(_("Only a failed round can be retried."))
            round_.steps.filter(state=RoundStep.State.FAILED).update(
                state=RoundStep.State.WAITING, attempts=0, error="", started_at=None
            )
    except IntegrityError as error:
        raise RoundError(_("Another round is running.")) from error
    logger.info("round %s retried by %s", round_.number, by)
    enqueue(round_id=round_.pk)
