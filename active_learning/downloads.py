"""Files that jobs made, sent as they are read: memory stays flat however large they are."""

from django.http import FileResponse, Http404
from django.utils.translation import gettext as _

from active_learning.exports import file_of
from active_learning.models import DatasetExport, JobState


def export_response(export: DatasetExport) -> FileResponse:
    """The zip file of an export.

    Raises:
        Http404: there is none (yet).
    """
    path = file_of(export)
    if export.state != JobState.SUCCEEDED or not path.is_file():
        raise Http404(_("This export has no file."))
    return FileResponse(path.open("rb"), as_attachment=True, filename=path.name)
