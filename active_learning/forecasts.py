"""The preview of a round: what it would ask, what that costs, and what it is likely to change."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from active_learning import datasets, jobs, rounds, scans, selection
from active_learning.job_files import read_json
from active_learning.jobs import JobError
from active_learning.models import Forecast, JobState, Release, Round, Scan, Selection
from active_learning.promotion import champion
from active_learning.supervision import supervise
from active_learning.worth import REPORT, child_line
from annotation.models import Task
from annotation.selectors.effort import effort


class ForecastError(JobError):
    """A preview that cannot be made; the message is for a person."""


def request_forecast(*, config: dict | None = None, by: User | None = None) -> Forecast:
    """Choose what a round of these dials would ask, from the champion's newest scan of the pool,
    and queue the forecast of what its brand labels would change.

    Raises:
        ForecastError: there is no champion, or it has not scanned the pool yet: the scan is then
            queued.
        RoundError: the configuration makes no sense.
    """
    config = rounds.full_config(config)
    release = champion()
    if release is None:
        raise ForecastError(_("There is no champion yet: the first round asks nobody."))
    rounds.check_focus(config, release=release)
    chosen = _chosen(config, release, _scan_of(release, by))
    asked = [row.task.image_id for row in chosen if row.task.kind == Task.Kind.BRAND]
    files = {}
    if release.classifier is not None and asked:
        files = {
            # A suspected label is of the training material: what is asked is not known as well.
            "known": datasets.training_manifest(without=asked),
            "chosen": datasets.image_manifest(image_ids=asked),
            "test": datasets.evaluation_manifest(),
        }
    with transaction.atomic():
        made = Forecast.objects.create(
            config=config,
            release=release,
            chosen=_counted(chosen),
            effort=_effort(chosen),
            files={name: str(manifest.path) for name, manifest in files.items()},
            requested_by=by,
            output=jobs.folder("forecasts/"),
            # Without brand labels there is nothing to forecast; what is asked and its cost remain.
            state=JobState.QUEUED if files else JobState.SUCCEEDED,
        )
        if files:
            jobs.enqueue(made)
    return made


def _scan_of(release: Release, by: User | None) -> Scan:
    pool = release.scans.filter(purpose=Scan.Purpose.POOL)
    scan = pool.filter(state=JobState.SUCCEEDED).first()
    if scan is None:
        manifest = datasets.pool_manifest()
        if not len(manifest):
            raise ForecastError(_("The pool is empty: there is nothing to ask."))
        scans.request_scan(release=release, manifest=manifest, by=by)
        raise ForecastError(
            _("The champion has not scanned the pool yet. The scan is queued: ask again after it.")
        )
    return scan


def _chosen(config: dict, release: Release, scan: Scan) -> list[Selection]:
    number = rounds.next_number(release=release)
    draft = Round(number=number, seed=config.get("seed", number), config=config, champion=release)
    try:
        scanned = scans.scan_table(scan)
    except OSError as error:
        reason = _("The champion's scan of the pool cannot be read: %(error)s") % {"error": error}
        raise ForecastError(reason) from error
    return selection.choose(round_=draft, release=release, scanned=scanned)


def _counted(chosen: Sequence[Selection]) -> list[dict[str, Any]]:
    counts = Counter(
        (row.task.kind, row.strategy, row.focus_brand.key if row.focus_brand else None)
        for row in chosen
    )
    return [
        {"kind": kind, "strategy": strategy, "brand": brand, "items": items}
        for (kind, strategy, brand), items in sorted(
            counts.items(), key=lambda entry: (entry[0][0], entry[0][1], -entry[1])
        )
    ]


def _effort(chosen: Sequence[Selection]) -> dict[str, dict[str, Any]]:
    items = Counter(row.task.kind for row in chosen)
    found = {}
    for kind, measured in effort(kinds=items).items():
        answers = items[kind] * measured.answers
        hours = None if measured.seconds is None else round(answers * measured.seconds / 3600, 2)
        found[kind] = {"items": items[kind], "answers": round(answers), "hours": hours}
    return found


def run(*, forecast_id: int) -> JobState | None:
    """Supervise the forecast in this process; safe to call again at any time."""
    return supervise(Forecast, forecast_id, argv=command, finish=_store)


def command(forecast: Forecast) -> list[str]:
    """The child's command line."""
    return child_line("forecast", forecast, forecast.release)


def _store(forecast: Forecast) -> None:
    forecast.report = read_json(Path(forecast.output) / REPORT)
    forecast.save(update_fields=["report"])


def open_forecast(*, forecast: Forecast, by: User | None = None) -> Round:
    """Open the round that was previewed. It scans the pool as it is then, so what came in or was
    answered since may change what it asks.

    Raises:
        ForecastError: it was opened before, or is of another champion than today's.
        RoundError: see `rounds.open_round`.
    """
    if forecast.round_id is not None:
        raise ForecastError(_("This round was opened already."))
    if forecast.release != champion():
        raise ForecastError(_("The champion has changed since: preview the round anew."))
    with transaction.atomic():
        forecast.round = rounds.open_round(config=forecast.config, by=by)
        forecast.save(update_fields=["round"])
    return forecast.round
