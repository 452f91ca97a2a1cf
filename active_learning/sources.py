"""Sources of images: setting them, and taking them in by a job."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from celery.schedules import ParseException, crontab
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from active_learning import gathering, jobs
from active_learning.models import JobState, Source, SourceRun
from active_learning.models.jobs import ACTIVE
from active_learning.supervision import supervise
from annotation import audit
from annotation.connectors.choice import checked
from annotation.models import Brand, IngestBatch
from ml.errors import InputError
from ml.progress import Progress

ONCE = "once"
RESERVED = ("new", "boxes")  # pages beside those of sources


class SourceError(jobs.JobError):
    """What was asked of a source cannot be; the message is for a person."""


@dataclass(frozen=True)
class Settings:
    """What a person sets of a source, but for its name."""

    kind: str
    connector: str
    place: Mapping[str, str] = field(default_factory=dict)
    split: str = Source.Split.POOL
    brand: Brand | None = None
    weak_answer: str = ""
    schedule: str = ONCE
    enabled: bool = True
    trust: str = Source.Trust.MEASURED

    @classmethod
    def of(cls, source: Source) -> "Settings":
        return cls(**{name: getattr(source, name) for name in cls.__dataclass_fields__})

    def as_json(self) -> dict[str, Any]:
        """For the audit log."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"place": dict(self.place), "brand": self.brand.key if self.brand else None}


def create_source(*, name: str, settings: Settings, by: User | None) -> Source:
    """Raises SourceError: a setting cannot be, or the name is taken."""
    try:
        validate_slug(name)
    except ValidationError as error:
        raise SourceError(_("The name has letters, digits, hyphens and underscores.")) from error
    if name in RESERVED:
        raise SourceError(_("Choose another name."))
    if len(name) > 40:
        raise SourceError(_("The name is longer than 40 characters."))
    settings = _checked(settings)
    try:
        with transaction.atomic():
            source = Source.objects.create(name=name, created_by=by, **vars(settings))
            audit.note(
                action="create_source", subject=source, by=by, after=_changed(settings.as_json())
            )
    except IntegrityError as error:
        raise SourceError(_("There is a source of this name already.")) from error
    return source


def change_source(*, source: Source, settings: Settings, by: User) -> None:
    """Change all but the name. Runs that are under way go on as they began.

    Raises:
        SourceError: a setting cannot be.
    """
    settings = _checked(settings)
    with transaction.atomic():
        locked = Source.objects.select_for_update(of=("self",)).select_related("brand")
        was = Settings.of(locked.get(pk=source.pk)).as_json()
        now = settings.as_json()
        changed = [name for name in now if now[name] != was[name]]
        if not changed:
            return
        for name, value in vars(settings).items():
            setattr(source, name, value)
        source.save()
        audit.note(
            action="change_source",
            subject=source,
            by=by,
            before={name: was[name] for name in changed},
            after={name: now[name] for name in changed},
        )


def _changed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None)}


def _checked(settings: Settings) -> Settings:
    """The settings with the place cleaned."""
    for name, choices in (
        ("kind", Source.Kind), ("trust", Source.Trust), ("weak_answer", Source.WeakAnswer),
    ):  # fmt: skip
        if getattr(settings, name) not in choices.values:
            raise SourceError(_("Choose one of what is offered: %(field)s.") % {"field": name})
    if settings.split not in Source.Split.values:
        raise SourceError(_("New images go to the pool or to training."))
    if settings.weak_answer == Source.WeakAnswer.BRAND and settings.brand is None:
        raise SourceError(_("Name the brand that its images are said to show."))
    if settings.schedule != ONCE:
        _crontab(settings.schedule)
    try:
        place = checked(settings.connector, settings.place)
    except InputError as error:
        raise SourceError(str(error)) from error
    return replace(settings, place=place)


def _crontab(line: str) -> crontab:
    try:
        return crontab.from_string(line)
    except (ParseException, ValueError) as error:
        raise SourceError(
            _("The schedule is “once” or a crontab line, such as 0 3 * * 1.")
        ) from error


def request_run(*, source: Source, by: User | None = None) -> SourceRun:
    """Queue a taking in; nobody: by the schedule.

    Raises:
        SourceError: the source is switched off, or is being taken in.
    """
    if not source.enabled:
        raise SourceError(_("The source is switched off."))
    person = SourceRun.Trigger.PERSON if by else SourceRun.Trigger.SCHEDULE
    try:
        with transaction.atomic():
            run = SourceRun.objects.create(
                source=source, trigger=person, requested_by=by, output=jobs.folder("sources/")
            )
            if by:
                audit.note(action="run_source", subject=source, by=by)
            jobs.enqueue(run)
    except IntegrityError as error:
        raise SourceError(_("It is being taken in already.")) from error
    return run


def cancel_run(*, run: SourceRun, by: User) -> None:
    """Raises ForbiddenMove: it has ended."""
    with transaction.atomic():
        jobs.cancel(job=run, by=by)
        audit.note(action="cancel_source_run", subject=run.source, by=by)


def resume_run(*, run: SourceRun, by: User) -> None:
    """Let a run that failed or was cancelled go on behind what it has done.

    Raises:
        SourceError: it is active, has succeeded, or another run of the source is active.
    """
    try:
        with transaction.atomic():
            jobs.resume(job=run, by=by)
            audit.note(action="run_source", subject=run.source, by=by)
    except IntegrityError as error:
        raise SourceError(_("It is being taken in already.")) from error


def start_due() -> list[SourceRun]:
    """Queue what is due by its schedule: `once` when it was never taken in, else when the crontab
    line has come round since the last run (or since the source was made)."""
    started = []
    last = SourceRun.objects.filter(source=OuterRef("pk")).order_by("-pk")
    sources = Source.objects.filter(enabled=True).annotate(
        last_at=last.values("created_at")[:1],
        busy=Exists(last.filter(state__in=ACTIVE)),
    )
    for source in sources:
        if source.busy or not _is_due(source):
            continue
        try:
            started.append(request_run(source=source))
        except SourceError:  # somebody was quicker
            continue
    return started


def _is_due(source: Any) -> bool:
    """Of a source with `last_at`, when it was last taken in."""
    if source.schedule == ONCE:
        return source.last_at is None
    since = source.last_at or source.created_at
    return bool(crontab.from_string(source.schedule).is_due(since).is_due)


def run(*, run_id: int) -> JobState | None:
    """Supervise a run in this process; safe to call again at any time."""
    state = supervise(SourceRun, run_id, argv=command, finish=note_counts)
    if state in (JobState.FAILED, JobState.CANCELLED):
        ended = SourceRun.objects.select_related("batch").get(pk=run_id)
        note_counts(ended)
        IngestBatch.objects.filter(source_run=ended).update(
            state=IngestBatch.State.FAILED, finished_at=timezone.now()
        )
    return state


def command(run: SourceRun) -> list[str]:
    """The child's command line."""
    return [sys.executable, "manage.py", "gather", "--run", str(run.pk)]


def note_counts(run: SourceRun) -> None:
    """Keep what a run came to."""
    run.refresh_from_db()
    run.metrics = gathering.counts(run)
    run.save(update_fields=["metrics"])


def gather(*, run_id: int, progress: Progress, should_stop: Callable[[], bool]) -> None:
    """What the child of a run does; see `gathering.gather`."""
    run = SourceRun.objects.select_related("source__brand", "batch").get(pk=run_id)
    gathering.gather(run=run, progress=progress, should_stop=should_stop)
