"""Datasets in the formats of other tools, each one zip file: made by a job, handed out from its
folder, and deleted by a person."""

import shutil
import sys
from pathlib import Path

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from active_learning import jobs
from active_learning.jobs import JobError
from active_learning.models import DatasetExport, DatasetVersion, JobState
from active_learning.models.jobs import ACTIVE
from active_learning.scans import ENDED_BADLY
from active_learning.supervision import supervise
from annotation import audit


class ExportError(JobError):
    """What was asked of an export cannot be; the message is for a person."""


def request_export(*, dataset: DatasetVersion, to: str, by: User) -> DatasetExport:
    """Queue an export; the one there already, unless it ended badly, is returned instead.

    Raises:
        ExportError: there is no such format.
    """
    if to not in DatasetExport.Format.values:
        raise ExportError(_("Choose a format."))
    try:
        with transaction.atomic():
            export = DatasetExport.objects.create(
                dataset=dataset,
                format=to,
                requested_by=by,
                output=jobs.folder(f"exports/{to}-"),
            )
            audit.note(action="export_dataset", subject=dataset, by=by, after={"format": to})
            jobs.enqueue(export)
    except IntegrityError:
        same = DatasetExport.objects.filter(dataset=dataset, format=to)
        return same.exclude(state__in=ENDED_BADLY).get()
    return export


def run(*, export_id: int) -> JobState | None:
    """Supervise an export in this process; safe to call again at any time."""
    return supervise(DatasetExport, export_id, argv=command, finish=note_size)


def command(export: DatasetExport) -> list[str]:
    """The child's command line."""
    path = file_of(export)
    path.unlink(missing_ok=True)  # an attempt may have ended between its file and its row
    line = [sys.executable, "-m", "ml", "convert", "--manifest", export.dataset.path]
    return [*line, "--to", export.format, "--zip", "--out", str(path)]


def note_size(export: DatasetExport) -> None:
    """Keep how large the file is; OSError where it is not there."""
    export.size = file_of(export).stat().st_size
    export.save(update_fields=["size"])


def file_of(export: DatasetExport) -> Path:
    """The zip file, there once the export has succeeded."""
    return Path(export.output) / f"{export.dataset.sha256[:12]}-{export.format}.zip"


def delete_export(*, export: DatasetExport, by: User) -> None:
    """Delete an export and its file; it can be asked for again.

    Raises:
        ExportError: it is being made: cancel it first.
    """
    with transaction.atomic():
        gone, _rows = DatasetExport.objects.exclude(state__in=ACTIVE).filter(pk=export.pk).delete()
        if not gone:
            raise ExportError(_("It is being made: cancel it first."))
        audit.note(
            action="delete_export", subject=export.dataset, by=by, before={"format": export.format}
        )
    if Path(export.output).exists():
        shutil.rmtree(export.output)
